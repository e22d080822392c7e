"""Judge the hosts, URLs, files and secrets of the configuration. No error quotes a value: it may be a password."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.password_validation import CommonPasswordValidator

PLACEHOLDERS = ("changeme", "change-me", "change_me", "placeholder", "example", "development", "insecure", "secret")
WEAK_PASSWORDS = ("password", "postgres", "argos", "admin", "products", "orders", "test", "guest")
HOST_NAME = r"[a-z0-9-]+(?:\.[a-z0-9-]+)*"  # Django answers 400 to all other names, also to those with an underscore
IPV6 = r"\[[0-9a-f]*:[0-9a-f:.]+\]"
HOST = re.compile(rf"\*|\.?{HOST_NAME}|{IPV6}")
ORIGIN = re.compile(rf"(https?)://(?:(?:\*\.)?{HOST_NAME}|{IPV6})(?::(\d{{1,5}}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}
MOST_KEY_SET_BYTES = 65_536  # of the issuer's keys, from a file or a URL
OTHER_PROOFS = {"sslcert", "passfile"}  # libpq's options that replace a password


def http_url(url: str) -> str:
    """Accept an absolute http or https URL that a path can be added to; return it without a trailing slash."""
    absolute_http_url(url)
    if "?" in url or "#" in url:
        raise ValueError("must not hold a query (?) or a fragment (#)")
    return url.rstrip("/")


def absolute_http_url(url: str) -> None:
    """Refuse all but an absolute http or https URL without credentials."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an absolute http:// or https:// URL")
    if parts.username or parts.password:
        raise ValueError("carries credentials, which would reach logs and traces")
    try:
        port = parts.port
    except ValueError:  # its text quotes the port, which may be the start of a password: http://me:pass/word@host
        port = 0
    if port == 0:
        raise ValueError("must have a port between 1 and 65535 after its colon")
    if not url.isascii():
        raise ValueError("must be ASCII: the host in Punycode (xn--…), the path percent-encoded")


def key_set(address: str) -> str:
    """Accept an http or https URL, or the path of a readable file."""
    if "://" in address:
        absolute_http_url(address)
        return address
    try:
        with Path(address).open("rb") as file:
            content = file.read(MOST_KEY_SET_BYTES + 1)
    except OSError:
        raise ValueError("names no readable file, and is not a URL") from None
    if len(content) > MOST_KEY_SET_BYTES:
        raise ValueError(f"names a file of more than {MOST_KEY_SET_BYTES} bytes")
    return address


def certificate_authorities(path: str) -> str:
    """Accept a PEM file of certificates."""
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError):
        raise ValueError("names no readable PEM file of certificates") from None
    return path


def client_certificate(path: str) -> str:
    """Accept a PEM file that holds a certificate and its key, without a password."""
    try:
        ssl.create_default_context().load_cert_chain(path, password=_refuse_a_password)
    except (OSError, ValueError):
        raise ValueError("names no readable PEM file of a certificate and its key, without a password") from None
    return path


def _refuse_a_password() -> str:
    raise ValueError("a password is asked for")


def is_placeholder(secret: str) -> bool:
    """Tell whether the secret looks like one that was not replaced."""
    return any(word in secret.lower() for word in PLACEHOLDERS)


def is_weak_password(password: str) -> bool:
    """Tell whether the password is among the first that an attacker tries."""
    return bool(password) and (
        is_placeholder(password) or password.lower() in WEAK_PASSWORDS or password.lower() in _common_passwords()
    )


def strong_database_password(database: Mapping[str, Any]) -> None:
    """Refuse a weak password, and none where the server is reached over the network by a password.

    A local socket has peer authentication; a client certificate and a password file replace a password.
    """
    options = database.get("OPTIONS", {})
    password = str(database.get("PASSWORD") or options.get("password") or "")
    host = str(options.get("host") or database.get("HOST") or "")
    if is_weak_password(password) or (password and password == database.get("USER")):
        raise ValueError("has a weak password or a placeholder for one, which production refuses")
    if host and not host.startswith(("/", "@")) and not password and not options.keys() & OTHER_PROOFS:
        raise ValueError("has no password, which production refuses: only a local socket may have none")


@cache
def _common_passwords() -> frozenset[str]:
    """Return the 20,000 most common passwords, in lower case, which Django brings along."""
    return frozenset(CommonPasswordValidator().passwords)


def words(value: object) -> object:
    """Split a comma-separated variable into its words."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


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
