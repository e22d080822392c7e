"""SIGTERM and SIGINT finish requests and exit with 0; a second signal does not wait; SIGHUP loses no request."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator

import pytest
import requests

from ops.tests.tolerance import tolerance
from tests.load import load
from tests.processes import Service, Stack, running_stack

GRACE = 10.0  # seconds, gunicorn's graceful_timeout
ORDER = b'{"productId": 1, "quantity": 2}'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def products(stack: Stack) -> Iterator[Service]:
    yield stack.products
    stack.products.env.pop("WEB_CONCURRENCY", None)
    stack.products.env.pop("SHUTDOWN_DELAY", None)


def restart(service: Service, **env: str) -> Service:
    service.kill()
    service.env.update(env)
    return service.start()


def half_a_request(service: Service) -> socket.socket:
    """Return a connection with a started request; its thread waits for the rest."""
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=15)
    connection.sendall(b"GET /products/1 HTTP/1.1\r\nHost: localhost\r\n")
    time.sleep(0.3)
    return connection


@pytest.mark.parametrize(
    ("with_signal", "workers"), [(signal.SIGTERM, "1"), (signal.SIGTERM, "3"), (signal.SIGINT, "3")]
)
def test_a_stop_under_load_answers_every_request_and_refuses_later_ones(
    products: Service, workers: str, with_signal: signal.Signals
) -> None:
    restart(products, WEB_CONCURRENCY=workers)
    with load(products.port, "GET", "/products/1") as clients:
        clients.wait_for(100)
        signalled = time.monotonic()
        code = products.stop(with_signal)
        took = time.monotonic() - signalled
        time.sleep(0.1)

    assert code == 0
    assert took < GRACE
    assert clients.ended("cut off") == []
    assert {request.status for request in clients.ended("answered")} == {200}
    assert {request.body for request in clients.ended("answered")} == {b'{"id":1,"name":"Quantum Laptop"}'}
    assert clients.ended("refused")


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_stop_breaks_no_connection_that_clients_keep_between_requests(products: Service, workers: str) -> None:
    restart(products, WEB_CONCURRENCY=workers)
    with load(products.port, "GET", "/products/1", clients=24, pause=0.2) as clients:
        clients.wait_for(100)
        assert products.stop() == 0

    assert clients.ended("cut off") == []
    assert {request.status for request in clients.ended("answered")} == {200}


def test_a_request_that_has_begun_is_answered_after_the_signal(products: Service) -> None:
    restart(products)
    with half_a_request(products) as connection:
        assert products.process is not None
        products.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", products.port), timeout=30)
        connection.sendall(b"\r\n")
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in answer
    assert products.process.wait(tolerance(GRACE)) == 0


def test_a_second_signal_does_not_wait_for_a_request_that_hangs(products: Service) -> None:
    restart(products, WEB_CONCURRENCY="3")
    with half_a_request(products):
        assert products.process is not None
        products.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert products.process.poll() is None

        asked = time.monotonic()
        products.stop(signal.SIGINT)

        assert time.monotonic() - asked < tolerance(5)  # 2 s of gunicorn's, and this machine's


def test_a_second_signal_does_not_wait_for_the_delay(products: Service) -> None:
    restart(products, SHUTDOWN_DELAY="60")
    assert products.process is not None
    products.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)

    asked = time.monotonic()
    products.stop(signal.SIGTERM)

    assert time.monotonic() - asked < tolerance(5)


@pytest.mark.parametrize("workers", ["1", "3"])
def test_the_load_balancer_is_warned_before_the_drain(products: Service, workers: str) -> None:
    restart(products, SHUTDOWN_DELAY="2", WEB_CONCURRENCY=workers)
    assert products.process is not None
    signalled = time.monotonic()
    products.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)

    ready = requests.get(f"{products.url}/readyz", timeout=30)
    assert ready.status_code == 503
    assert ready.json()["probes"]["shutdown"] == "shutting down"
    assert requests.get(f"{products.url}/healthz", timeout=30).status_code == 200
    assert requests.get(f"{products.url}/products/1", timeout=30).status_code == 200

    assert products.process.wait(tolerance(GRACE)) == 0
    assert time.monotonic() - signalled >= 2


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_reload_loses_nothing(products: Service, workers: str) -> None:
    restart(products, WEB_CONCURRENCY=workers)
    assert products.process is not None
    with load(products.port, "GET", "/products/1") as clients:
        clients.wait_for(50)
        # The log includes the workers of other tests; killed ones did not log their end.
        starts, exits = logged(products, "Booting worker"), logged(products, "Worker exiting")
        products.process.send_signal(signal.SIGHUP)
        wait_until_logged(products, "Booting worker", starts + int(workers))
        wait_until_logged(products, "Worker exiting", exits + int(workers))
        clients.wait_for(len(clients.requests) + 100)

    assert clients.ended("cut off") == clients.ended("refused") == []
    assert {request.status for request in clients.ended("answered")} == {200}


def test_orders_in_flight_are_stored_and_acknowledged(stack: Stack, products: Service) -> None:
    restart(products)
    with load(stack.orders.port, "POST", "/orders", ORDER) as clients:
        clients.wait_for(50)
        assert stack.orders.stop() == 0

    try:
        assert clients.ended("cut off") == []
        assert {request.status for request in clients.ended("answered")} == {201}
    finally:
        stack.orders.start()


def logged(service: Service, words: str) -> int:
    return service.log_path.read_text().count(words)


def wait_until_logged(service: Service, words: str, count: int, within: float = 90.0) -> None:
    deadline = time.monotonic() + within
    while logged(service, words) < count:
        assert time.monotonic() < deadline, service.log_path.read_text()[-3000:]
        time.sleep(0.05)
