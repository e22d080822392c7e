"""A call ends by its deadline, even if the resolver, the addresses, TLS or the peer are slow."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import pytest

from ops.outbound.circuit_breaker import CircuitBreaker
from ops.outbound.client import Answer, HttpClient, PeerUnavailable, Policy
from ops.outbound.retry_budget import RetryBudget
from ops.outbound.session import PeerSession
from ops.telemetry import metrics, request_context
from ops.tests.peers import refused
from ops.tests.raw_peer import ANSWER, CERTIFICATE, RawPeer, raw_peer
from ops.tests.settings import PlainConfig
from ops.tests.tolerance import UNBOUNDED
from ops.turns import turn

T = TypeVar("T")

DOCUMENT = b'{"number": 1}'


def make_client(
    *, try_timeout: float = 1.0, deadline: float = 2.5, connect_timeout: float = 0.3, authorities: str | None = None
) -> HttpClient:
    policy = Policy(
        connect_timeout=timedelta(seconds=connect_timeout),
        try_timeout=timedelta(seconds=try_timeout),
        deadline=timedelta(seconds=deadline),
        max_tries=2,
    )
    breaker = CircuitBreaker(
        "test-peer",
        failure_ratio=0.5,
        min_calls=1000,
        window=timedelta(seconds=10),
        open_for=timedelta(seconds=5),
    )
    config = PlainConfig(peer_ca_bundle=authorities)
    return HttpClient("test-peer", policy, breaker, RetryBudget(0.1), partial(PeerSession, config))


def read(status: int, body: bytes) -> tuple[int, bytes]:
    return status, body


def get(client: HttpClient, url: str, read: Callable[[int, bytes], T]) -> T:
    return client.request("GET", url, lambda answer: read(answer.status, answer.body))


def seconds_to_fail(client: HttpClient, url: str, outcome: str) -> float:
    """Call, expect PeerUnavailable with this outcome, and return how long it took."""
    started = time.monotonic()
    with pytest.raises(PeerUnavailable) as failure:
        get(client, url, read)
    assert failure.value.outcome == outcome
    return time.monotonic() - started


def stall(peer: RawPeer, sock: socket.socket) -> None:
    peer.stopped.wait()


def drip(peer: RawPeer, sock: socket.socket) -> None:
    peer.read_request(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    while not peer.stopped.wait(0.05):
        sock.sendall(b" ")


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that resolves every name to these addresses."""

    def resolve_to(*found: tuple[socket.AddressFamily, Any]) -> None:
        entries = [(family, socket.SOCK_STREAM, 6, "", address) for family, address in found]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: entries)

    return resolve_to


@pytest.fixture
def black_hole() -> Any:
    """Yield an address whose queue of connections is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield socket.AF_INET, listener.getsockname()


def test_the_next_address_is_tried_when_one_refuses_or_does_not_answer(
    addresses: Callable[..., None], black_hole: tuple[socket.AddressFamily, Any]
) -> None:
    with raw_peer(RawPeer.answer_forever) as peer:
        port = peer.address[1]
        # 127.0.0.1 alone is listened on, so ::1 refuses; without IPv6 there is not even a socket for it.
        addresses((socket.AF_INET6, ("::1", port, 0, 0)), black_hole, (socket.AF_INET, peer.address))

        assert get(make_client(), peer.url(host="localhost"), read) == (200, b"OK")


def test_many_addresses_that_do_not_answer_take_no_longer_than_one_try(
    addresses: Callable[..., None], black_hole: tuple[socket.AddressFamily, Any]
) -> None:
    addresses(*[black_hole] * 200)  # each for itself: 40 s
    client = make_client(connect_timeout=0.2, try_timeout=0.4, deadline=0.9)

    assert seconds_to_fail(client, "http://products/", "timeout") < UNBOUNDED


def test_a_name_without_an_address_is_a_connection_error(addresses: Callable[..., None]) -> None:
    addresses()

    seconds_to_fail(make_client(), "http://products/", "connection_error")


def test_a_resolver_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        answered.wait(2 * UNBOUNDED)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    client = make_client(try_timeout=0.2, deadline=0.7)

    took = seconds_to_fail(client, "http://products/", "timeout")
    answered.set()

    assert took < UNBOUNDED


def slow_resolver(monkeypatch: pytest.MonkeyPatch, seconds: float, *answers: Any) -> list[float]:
    """Have each look-up take so long and end with the next of the answers; return the list of the look-ups' starts."""
    started: list[float] = []

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        started.append(time.monotonic())
        answer = answers[min(len(started), len(answers)) - 1]
        time.sleep(seconds)
        if isinstance(answer, Exception):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", answer)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return started


def test_the_second_try_takes_the_look_up_that_was_late_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    # As where the first of two name servers is dead: each look-up takes the resolver's second, which is a whole try.
    with raw_peer(RawPeer.answer_forever) as peer:
        started = slow_resolver(monkeypatch, 0.4, peer.address)

        assert get(make_client(try_timeout=0.3), peer.url(host="localhost"), read) == (200, b"OK")
        assert len(started) == 1


def test_a_look_up_that_failed_late_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_peer(RawPeer.answer_forever) as peer:
        failure = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        started = slow_resolver(monkeypatch, 0.3, failure, peer.address)
        client = make_client(try_timeout=0.2, deadline=0.2)
        seconds_to_fail(client, peer.url(host="localhost"), "timeout")
        time.sleep(0.3)  # the first look-up has failed
        seconds_to_fail(client, peer.url(host="localhost"), "timeout")
        time.sleep(0.3)  # the second has an answer

        assert get(client, peer.url(host="localhost"), read) == (200, b"OK")
        assert len(started) == 2


def test_a_kept_connection_gets_a_new_deadline_for_each_call() -> None:
    client = make_client(try_timeout=0.5, deadline=0.5)
    with raw_peer(RawPeer.answer_forever) as peer:
        get(client, peer.url(), read)
        time.sleep(0.6)  # past the first call's deadline

        assert get(client, peer.url(), read) == (200, b"OK")
        assert peer.connections == 1


def test_there_is_no_second_try_past_the_deadline() -> None:
    client = make_client(try_timeout=0.3, deadline=0.3)
    with raw_peer(stall) as peer:
        seconds_to_fail(client, peer.url(), "timeout")

        assert peer.connections == 1


def test_a_cookie_is_not_kept() -> None:
    def set_cookie(peer: RawPeer, sock: socket.socket) -> None:
        while True:
            peer.read_request(sock)
            sock.sendall(ANSWER.replace(b"\r\n", b"\r\nSet-Cookie: session=somebody; Path=/\r\n", 1))

    client = make_client()
    with raw_peer(set_cookie) as peer:
        get(client, peer.url(), read)
        get(client, peer.url(), read)

        assert b"Cookie" not in peer.requests[1]


def test_the_request_id_goes_along() -> None:
    request_context.begin("abc-123")

    with raw_peer(RawPeer.answer_forever) as peer:
        get(make_client(), peer.url(), read)

        assert b"X-Request-ID: abc-123\r\n" in peer.requests[0]
    request_context.clear()


def test_what_the_reader_raises_passes_through() -> None:
    class NoSuchThing(Exception):
        pass

    def refuse(status: int, body: bytes) -> None:
        raise NoSuchThing

    with raw_peer(RawPeer.answer_forever) as peer, pytest.raises(NoSuchThing):
        get(make_client(), peer.url(), refuse)


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (lambda peer, sock: sock.close(), "RemoteDisconnected|ConnectionResetError"),
        (lambda peer, sock: sock.sendall(b"SSH-2.0-OpenSSH_10.0\r\n"), "BadStatusLine|ConnectionResetError"),
    ],
)
def test_the_reason_names_the_cause_and_not_the_library(serve: Callable[..., None], reason: str) -> None:
    with raw_peer(serve) as peer, pytest.raises(PeerUnavailable, match=f"^({reason})$"):
        get(make_client(), peer.url(), read)


def test_over_tls_a_connection_is_kept_and_verified() -> None:
    client = make_client(authorities=str(CERTIFICATE))
    with raw_peer(RawPeer.answer_forever, tls=True) as peer:
        assert get(client, peer.url("https"), read) == (200, b"OK")
        assert get(client, peer.url("https"), read) == (200, b"OK")
        assert peer.connections == 1


def test_over_tls_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    with (
        raw_peer(RawPeer.answer_forever, tls=True) as peer,
        pytest.raises(PeerUnavailable, match="SSLCertVerificationError"),
    ):
        get(make_client(), peer.url("https"), read)


def test_over_tls_a_dripping_body_ends_by_the_deadline() -> None:
    client = make_client(try_timeout=0.4, deadline=1.1, authorities=str(CERTIFICATE))
    with raw_peer(drip, tls=True) as peer:
        assert seconds_to_fail(client, peer.url("https"), "timeout") < UNBOUNDED


def test_over_tls_a_handshake_that_stalls_ends_by_the_deadline() -> None:
    client = make_client(try_timeout=0.3, deadline=0.9)
    with raw_peer(stall) as peer:
        assert seconds_to_fail(client, peer.url("https"), "timeout") < UNBOUNDED


def test_a_document_and_a_token_are_sent_and_a_failed_request_is_sent_again() -> None:
    def answer_the_second(peer: RawPeer, sock: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n" + DOCUMENT):
            request += sock.recv(65_536)
        peer.requests.append(request)
        if peer.connections > 1:
            sock.sendall(b"HTTP/1.1 201 Created\r\nArgos-Stock: tracked\r\nContent-Length: 2\r\n\r\nOK")

    with raw_peer(answer_the_second) as peer:
        answer = make_client().request("PUT", peer.url(), Answer._make, document={"number": 1}, token="canary")

    for head in peer.requests:
        assert head.startswith(b"PUT / HTTP/1.1\r\n")
        assert b"\r\nContent-Type: application/json\r\n" in head
        assert b"\r\nAuthorization: Bearer canary\r\n" in head
    assert (answer.status, answer.body, answer.tries) == (201, b"OK", 2)
    assert answer.headers["argos-stock"] == "tracked"


def test_an_answer_without_a_body_is_one() -> None:
    def answer(peer: RawPeer, sock: socket.socket) -> None:
        peer.read_request(sock)
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        peer.answer_forever(sock)

    with raw_peer(answer) as peer:
        client = make_client()

        assert client.request("DELETE", peer.url(), lambda answer: answer[:2]) == (204, b"")
        assert get(client, peer.url(), read) == (200, b"OK")
    assert b"Authorization" not in peer.requests[0]
    assert (peer.connections, len(peer.requests)) == (1, 2)


def test_a_retry_that_the_budget_refuses_is_counted() -> None:
    client = make_client()
    before = metrics.http_client_retries_refused_total.labels("test-peer")._value.get()
    url = refused()
    for _ in range(2):  # the first call's retry is within the budget
        with pytest.raises(PeerUnavailable):
            get(client, url, read)
    assert metrics.http_client_retries_refused_total.labels("test-peer")._value.get() == before + 1


def test_a_peer_is_not_asked_and_not_blamed_once_the_request_has_waited_past_the_deadline() -> None:
    client = make_client(deadline=0.5)
    turn.begin_work(arrived=time.monotonic() - 0.5)
    try:
        with raw_peer(RawPeer.answer_forever) as peer, pytest.raises(PeerUnavailable) as failure:
            get(client, peer.url(), read)
    finally:
        turn.end_work()

    assert failure.value.outcome == "deadline_exceeded"
    assert (peer.connections, sum(bucket.calls for bucket in client._breaker._buckets)) == (0, 0)
