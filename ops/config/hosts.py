"""Judge the members of ALLOWED_HOSTS and CSRF_TRUSTED_ORIGINS: Django takes any text and compares it in vain."""

from __future__ import annotations

import re

NAME = r"[a-z0-9-]+(?:\.[a-z0-9-]+)*"  # Django answers 400 to all other names, also to those with an underscore
IPV6 = r"\[[0-9a-f]*:[0-9a-f:.]+\]"
HOST = re.compile(rf"\*|\.?{NAME}|{IPV6}")
ORIGIN = re.compile(rf"(https?)://(?:(?:\*\.)?{NAME}|{IPV6})(?::(\d{{1,5}}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}


def allowed_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Accept hosts that a Host header can match: a name, `.name` with its subdomains, an address, or `*`."""
    for host in hosts:
        if not HOST.fullmatch(host.lower()):
            raise ValueError(
                f"holds {_quoted(host)}, which matches no Host header: write names or addresses, separated by "
                "commas, without scheme, port, path or quotes; .example.com for subdomains, [::1] for IPv6"
            )
    return hosts


def trusted_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Accept origins that an Origin header can match: scheme and host, and the port unless it is the scheme's."""
    for origin in origins:
        match = ORIGIN.fullmatch(origin)
        if match is None or DEFAULT_PORTS[match[1]] == match[2]:
            raise ValueError(
                f"holds {_quoted(origin)}, which matches no Origin header: write https://shop.example or "
                "https://*.shop.example, separated by commas, in lower case, without path or default port"
            )
    return origins


def _quoted(member: str) -> str:
    """Return the member for a message, without the credentials that a URL may carry."""
    return repr(member.rpartition("@")[2])
