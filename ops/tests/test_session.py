"""A session for peers takes nothing from the environment, follows nothing, keeps nothing, and ends by its deadline."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from ops.outbound.deadline_adapter import BodyTooLong
from ops.outbound.session import PeerSession
from ops.tests.peers import refused, silent
from ops.tests.raw_peer import ANSWER, RawPeer, raw_peer
from ops.tests.settings import PlainConfig
from ops.tests.tolerance import UNBOUNDED

CONFIG = PlainConfig()


def saying(answer: bytes) -> Callable[[RawPeer, socket.socket], None]:
    def serve(peer: RawPeer, sock: socket.socket) -> None:
        while True:
            peer.read_request(sock)
            sock.sendall(answer)

    return serve


def test_it_asks_no_proxy_and_takes_no_password_from_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, refused())

    with raw_peer(RawPeer.answer_forever) as peer, PeerSession(CONFIG) as session:
        assert session.get(peer.url(), timeout=5).content == b"OK"

    assert b"uthorization" not in peer.requests[0]


@pytest.mark.parametrize("location", [b"/elsewhere", b"http://[", b"/\xff"])
def test_it_follows_no_redirect_and_keeps_no_cookie(location: bytes) -> None:
    answer = b"HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with raw_peer(saying(answer)) as peer, PeerSession(CONFIG) as session:
        assert [session.get(peer.url(), timeout=5).status_code for _ in range(2)] == [302, 302]

    assert (peer.connections, len(peer.requests)) == (1, 2)
    assert b"ookie" not in peer.requests[1]


def test_its_timeout_bounds_the_whole_exchange() -> None:
    def drip(peer: RawPeer, sock: socket.socket) -> None:
        peer.read_request(sock)
        while not peer.stopped.wait(0.05):
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    with raw_peer(drip) as peer, PeerSession(CONFIG) as session:
        started = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            session.get(peer.url(), timeout=0.4)

        assert time.monotonic() - started < UNBOUNDED


def test_silence_is_a_read_timeout_and_a_refusal_a_connection_error() -> None:
    with PeerSession(CONFIG) as session:
        with silent() as url, pytest.raises(requests.ReadTimeout):
            session.get(url, timeout=0.2)
        with pytest.raises(requests.ConnectionError, match="ConnectionRefusedError"):
            session.get(refused(), timeout=5)


def test_it_reads_no_more_than_its_limit() -> None:
    with raw_peer(saying(ANSWER)) as peer, PeerSession(CONFIG, max_bytes=1) as session, pytest.raises(BodyTooLong):
        session.get(peer.url(), timeout=5)


def test_a_request_without_a_timeout_is_refused() -> None:
    with PeerSession(CONFIG) as session, pytest.raises(TypeError):
        session.get(refused())


def test_what_would_split_a_header_is_not_sent() -> None:
    with raw_peer(RawPeer.answer_forever) as peer, PeerSession(CONFIG) as session:
        request = session.prepare_request(requests.Request("GET", peer.url()))
        request.headers["Split"] = "canary\r\nInjected: yes"
        with pytest.raises(requests.ConnectionError, match="ValueError"):
            session.send(request, timeout=5)

    assert peer.requests == []


def test_a_body_of_text_and_parameters_are_sent() -> None:
    def answer(peer: RawPeer, sock: socket.socket) -> None:
        peer.requests.append(sock.recv(65_536))
        sock.sendall(ANSWER)

    with raw_peer(answer) as peer, PeerSession(CONFIG) as session:
        session.post(f"{peer.url()}a", params={"b": "c d"}, data="x=é", timeout=5)

    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    assert body == "x=é".encode()
    assert head.startswith(b"POST /a?b=c+d HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nContent-Length: 4" in head
