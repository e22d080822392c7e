"""The address of the client behind a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any


def client_address(meta: Mapping[str, Any], trusted: tuple[IPv4Network | IPv6Network, ...]) -> str:
    """Return the address of the connection, or the one that a trusted proxy adds at the end of X-Forwarded-For."""
    peer = str(meta.get("REMOTE_ADDR", ""))
    named = str(meta.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    if not trusted or not named or not _is_within(peer, trusted):
        return peer
    try:
        return str(ip_address(named))
    except ValueError:
        return peer


@lru_cache(maxsize=256)
def _is_within(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:  # a Unix socket has none
        return False
    return any(found in network for network in networks)
