"""Where all threads wait for a peer: probes answer, and what cannot begin in time is refused."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from ops.tests.problem_shape import check_problem
from ops.tests.tolerance import tolerance
from tests.processes import Service, Stack, running_stack

ORDER = b'{"productId": 1, "quantity": 2}'
BUDGET = 2.5  # seconds that an order may take at the most
PATIENCE = 1.5  # seconds, WEB_QUEUE_TIMEOUT's default

Ending = tuple[float, int, dict[str, str], bytes]


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Stack]:
    """Yield a stack whose products takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as products:
        url = f"http://127.0.0.1:{products.getsockname()[1]}"
        with running_stack(tmp_path) as stack:
            stack.orders.stop()
            stack.orders.env["PRODUCTS_SERVICE_URL"] = url
            stack.orders.start()
            yield stack


def order(service: Service, endings: list[Ending]) -> None:
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    connection.request("POST", "/orders", ORDER, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    endings.append((time.monotonic() - started, answer.status, dict(answer.headers), body))
    connection.close()


@contextmanager
def orders_in_flight(service: Service, count: int) -> Iterator[list[Ending]]:
    endings: list[Ending] = []
    threads = [threading.Thread(target=order, args=(service, endings)) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield endings
    finally:
        for thread in threads:
            thread.join()


def seconds_of(service: Service, path: str) -> float:
    started = time.monotonic()
    assert requests.get(f"{service.url}{path}", timeout=60).status_code == 200
    return time.monotonic() - started


def test_probes_answer_whatever_all_threads_wait_for(frozen: Stack) -> None:
    orders = frozen.orders
    with orders_in_flight(orders, 40) as endings:
        while orders.metric("web_queue_length") < 10:
            assert len(endings) < 40
        times = {path: seconds_of(orders, path) for path in ("/healthz", "/readyz", "/metrics")}
        assert len(endings) < 40  # they were asked meanwhile

    assert times["/healthz"] < tolerance(0.5)
    assert times["/readyz"] < tolerance(1.0)
    assert times["/metrics"] < tolerance(1.0)


def test_an_order_that_cannot_begin_in_time_is_refused_and_none_takes_longer_than_its_budget(frozen: Stack) -> None:
    with orders_in_flight(frozen.orders, 40) as endings:
        pass

    refused = [ending for ending in endings if ending[1] == 503]
    begun = [ending for ending in endings if ending[1] == 500]
    assert len(refused) + len(begun) == 40
    assert min(len(refused), len(begun)) > 0
    for _, _, headers, body in refused:
        check_problem(body, headers["Content-Type"], 503, "busy")
        assert (headers["Retry-After"], headers["Connection"]) == ("1", "keep-alive")
    assert max(seconds for seconds, *_ in refused) < tolerance(PATIENCE + 0.5)
    assert max(seconds for seconds, *_ in begun) < tolerance(BUDGET + 0.5)
    # The metrics count from the arrival of each, as a client does.
    assert frozen.orders.metric("http_requests_total", route="/orders", status="503") == len(refused)
    assert frozen.orders.metric("web_queue_seconds_total") >= len(refused) * PATIENCE
    measured = frozen.orders.metric("http_request_duration_seconds_sum", route="/orders")
    assert abs(measured - sum(seconds for seconds, *_ in begun)) < tolerance(1.0)
