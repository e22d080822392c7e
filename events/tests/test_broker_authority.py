"""PEER_CA_BUNDLE holds for the broker of an amqps:// URL too, against a real TLS server."""

from __future__ import annotations

import socket

import pytest
from django.conf import settings

from events.config import EventsConfig
from events.reachable import ask_events
from ops.tests.raw_peer import CERTIFICATE, RawPeer, raw_peer

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


def config(**variables: str) -> EventsConfig:
    reading = type(settings.CONFIG).read(variables)
    assert reading.config is not None, reading.faults
    assert isinstance(reading.config, EventsConfig)
    return reading.config


def trusting(**variables: str) -> EventsConfig:
    return config(PEER_CA_BUNDLE=str(CERTIFICATE), **variables)


def greet(peer: RawPeer, sock: socket.socket) -> None:
    peer.requests.append(sock.recv(8))


def test_a_broker_is_trusted() -> None:
    with raw_peer(greet, tls=True) as peer:
        with pytest.raises(OSError, match=r"closed|reset"):
            ask_events(trusting(EVENTS_URL=peer.url("amqps").rstrip("/")), timeout=5)

        assert set(peer.requests) == {PROTOCOL_HEADER}


def test_a_broker_without_a_known_authority_is_refused() -> None:
    with raw_peer(greet, tls=True) as peer, pytest.raises(OSError, match="self-signed"):
        ask_events(config(EVENTS_URL=peer.url("amqps").rstrip("/")), timeout=5)


def test_a_broker_of_another_name_is_refused() -> None:
    with raw_peer(greet, tls=True, host="127.0.0.2") as peer, pytest.raises(OSError, match=r"127\.0\.0\.2"):
        ask_events(trusting(EVENTS_URL=peer.url("amqps", host="127.0.0.2").rstrip("/")), timeout=5)
