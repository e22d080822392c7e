"""Each fault damages a link as documented, and the link works again without it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.faults.toxic_proxy import NONE, Fault, Link, toxic_proxy

WITHIN = 30.0


def _echo(sock: socket.socket) -> None:
    with sock:
        while data := sock.recv(65_536):
            sock.sendall(b"re: " + data)
        sock.sendall(b" the end")


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_quietly, args=(sock,), daemon=True).start()

    def _quietly(sock: socket.socket) -> None:
        with suppress(OSError):  # the proxy has reset it
            _echo(sock)

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def link(upstream: int) -> Iterator[Link]:
    with toxic_proxy(upstream) as proxy:
        yield proxy


@pytest.fixture
def client(link: Link) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", link.port), timeout=WITHIN) as sock:
        yield sock


def ask(client: socket.socket, text: bytes = b"hello") -> bytes:
    client.sendall(text)
    return client.recv(65_536)


def test_without_a_fault_bytes_pass_both_ways_and_ends_too(client: socket.socket) -> None:
    assert ask(client) == b"re: hello"

    client.shutdown(socket.SHUT_WR)

    assert client.recv(100) == b" the end"
    assert client.recv(100) == b""


@pytest.mark.parametrize("fault", [Fault(latency=0.1), Fault(latency=0.1, jitter=0.05)])
def test_latency_holds_each_piece_in_both_directions(client: socket.socket, link: Link, fault: Fault) -> None:
    link.fault = fault
    started = time.monotonic()

    assert ask(client) == b"re: hello"
    assert time.monotonic() - started >= 0.2


def test_bandwidth_lets_bytes_trickle(client: socket.socket, link: Link) -> None:
    link.fault = Fault(bytes_per_second=2000)
    started = time.monotonic()
    client.sendall(b"x" * 400)
    received = b""
    while len(received) < 404:
        received += client.recv(65_536)

    assert time.monotonic() - started >= 0.2


def test_a_reset_reaches_the_client(client: socket.socket, link: Link) -> None:
    assert ask(client) == b"re: hello"
    link.fault = Fault(reset=True)

    with pytest.raises(ConnectionResetError):
        ask(client)


def test_a_half_close_ends_the_requests_and_lets_the_answer_pass(client: socket.socket, link: Link) -> None:
    link.fault = Fault(half_close=True)
    client.sendall(b"hello")
    received = b""
    while data := client.recv(100):
        received += data

    assert received == b"re: hello the end"


def test_a_black_hole_holds_what_it_got_until_it_is_gone(client: socket.socket, link: Link) -> None:
    link.fault = Fault(black_hole=True)
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        ask(client)

    link.fault = NONE
    client.settimeout(WITHIN)

    assert client.recv(100) == b"re: hello"


def test_an_answer_is_truncated(client: socket.socket, link: Link) -> None:
    link.fault = Fault(answer_bytes=3)

    assert ask(client) == b"re:"
    assert client.recv(100) == b""


def test_a_cut_after_the_request_leaves_no_answer(client: socket.socket, link: Link) -> None:
    link.fault = Fault(cut_after_request=True)

    with pytest.raises(ConnectionResetError):
        ask(client)


def test_a_refused_upstream_is_a_reset() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with (
            toxic_proxy(unused.getsockname()[1]) as link,
            pytest.raises(ConnectionResetError),  # the reset may arrive before the client knows that it is connected
            socket.create_connection(("127.0.0.1", link.port), timeout=WITHIN) as client,
        ):
            client.recv(1)
