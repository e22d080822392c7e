"""Products dies, hangs and returns; the metrics and the log of orders show it."""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ops.tests.tolerance import UNBOUNDED
from tests.processes import Stack, running_stack

OPEN_FOR = 2.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("products_down")
    # The window is longer than the tests, so that a slow machine fills it as well.
    variables = {"PRODUCTS_BREAKER_OPEN_FOR": str(OPEN_FOR), "PRODUCTS_BREAKER_WINDOW": "300"}
    with running_stack(directory, **variables) as stack:
        yield stack


@pytest.fixture
def products_up(stack: Stack) -> Iterator[None]:
    """Leave products running and the breaker closed after any test."""
    recover(stack)
    yield
    recover(stack)


def recover(stack: Stack) -> None:
    """Have products running, and wait until an order is placed again."""
    assert stack.products.process is not None
    if stack.products.process.poll() is not None:
        stack.products.start()
    started = time.monotonic()
    while stack.place_order().status_code != 201:
        assert time.monotonic() - started < 90
        time.sleep(0.05)


def kill_products(stack: Stack) -> None:
    """Kill products and wait until the kernel refuses its port, after the last worker has ended."""
    stack.products.kill()
    address = ("127.0.0.1", stack.products.port)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(address) == errno.ECONNREFUSED:
                return
        time.sleep(0.02)
    pytest.fail("products outlived SIGKILL")


def place_order_in_vain(stack: Stack) -> dict[str, Any]:
    """Place an order, check that it is refused in time, and return its log line."""
    started = time.monotonic()
    answer = stack.place_order(timeout=2 * UNBOUNDED)
    took = time.monotonic() - started

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (500, "products_unavailable")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    assert took < UNBOUNDED
    (line,) = [
        line
        for line in stack.orders.log_lines()
        if line["event"] == "request.finished" and line["request_id"] == problem["requestId"]
    ]
    return line


def tries(stack: Stack, outcome: str) -> float:
    return stack.orders.metric("http_client_requests_total", peer="products", outcome=outcome)


@pytest.mark.usefixtures("products_up")
def test_a_killed_products_is_told_from_one_log_line_and_the_metrics(stack: Stack) -> None:
    rejected = stack.orders.metric("orders_rejected_total", reason="products_unavailable")
    created = stack.orders.metric("orders_created_total")
    before = tries(stack, "connection_error")
    kill_products(stack)

    line = place_order_in_vain(stack)

    told = {"event", "level", "status", "code", "peer", "peer_outcome", "peer_reason", "peer_tries"}
    assert {key: line[key] for key in told} == {
        "event": "request.finished",
        "level": "error",
        "status": 500,
        "code": "products_unavailable",
        "peer": "products",
        "peer_outcome": "connection_error",
        "peer_reason": "ConnectionRefusedError",
        "peer_tries": line["peer_tries"],
    }
    assert tries(stack, "connection_error") - before == line["peer_tries"]
    assert stack.orders.metric("orders_rejected_total", reason="products_unavailable") == rejected + 1
    assert stack.orders.metric("orders_created_total") == created
    assert requests.get(f"{stack.orders.url}/readyz", timeout=30).status_code == 200  # orders itself is ready


@pytest.mark.usefixtures("products_up")
def test_a_products_that_hangs_is_given_up_in_time(stack: Stack) -> None:
    before = tries(stack, "timeout")
    assert stack.products.process is not None
    os.killpg(stack.products.process.pid, signal.SIGSTOP)
    try:
        line = place_order_in_vain(stack)
    finally:
        os.killpg(stack.products.process.pid, signal.SIGCONT)

    assert (line["peer_outcome"], line["peer_reason"]) == ("timeout", "TimeoutError")
    assert tries(stack, "timeout") - before == line["peer_tries"]


@pytest.mark.usefixtures("products_up")
def test_the_breaker_opens_while_products_is_down_and_closes_by_itself(stack: Stack) -> None:
    kill_products(stack)
    for _ in range(100):  # earlier successes count as well, so the number of failures varies
        if place_order_in_vain(stack)["peer_outcome"] == "breaker_open":
            break
    else:
        pytest.fail("the breaker has not opened")
    assert stack.orders.metric("circuit_breaker_state", peer="products") == 2
    assert tries(stack, "breaker_open") >= 1

    recover(stack)

    assert stack.orders.metric("circuit_breaker_state", peer="products") == 0
    changes = [line for line in stack.orders.log_lines() if line["event"] == "circuit_breaker.changed"]
    assert [line["state"] for line in changes][-2:] == ["half_open", "closed"]
    assert {(line["peer"], line["level"]) for line in changes} == {("products", "warning")}
