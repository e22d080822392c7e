"""The address of a client: X-Forwarded-For counts only if a trusted proxy sends it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from ops.server.client_address import client_address

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.2", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.2", "192.0.2.1, 203.0.113.7", "203.0.113.7"),  # the client wrote the first one
        ("10.0.0.2", "2001:DB8::1", "2001:db8::1"),
        ("fd00::2", "203.0.113.7", "203.0.113.7"),
        ("198.51.100.1", "203.0.113.7", "198.51.100.1"),
        ("10.0.0.2", "203.0.113.7:80", "10.0.0.2"),
        ("10.0.0.2", "unknown", "10.0.0.2"),
        ("10.0.0.2", "203.0.113.7,", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("", "203.0.113.7", ""),  # a Unix socket
    ],
)
def test_a_trusted_proxy_names_the_client(peer: str, forwarded: str, client: str) -> None:
    assert client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}, TRUSTED) == client


@pytest.mark.parametrize(
    "meta", [{"REMOTE_ADDR": "10.0.0.2"}, {"REMOTE_ADDR": "10.0.0.2", "HTTP_X_FORWARDED_FOR": "::1"}]
)
def test_without_trusted_proxies_the_client_is_the_connection(meta: dict[str, Any]) -> None:
    assert client_address(meta, ()) == "10.0.0.2"
