"""Any bad input gets a problem document and one log line, and the process survives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from ops.tests.problem_shape import check_problem
from tests import bad_input
from tests.bad_input import CANARY, LIMIT, ORDER, Case
from tests.processes import Service, Stack, running_stack
from tests.raw_http import chunks, connect, exchange, post, post_chunked, read_answer, request


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("bad-input")) as running:
        yield running


@pytest.fixture(autouse=True)
def _the_processes_survive(stack: Stack) -> Iterator[None]:
    before = [worker_pids(service) for service in (stack.products, stack.orders)]
    yield
    assert [worker_pids(service) for service in (stack.products, stack.orders)] == before
    for service in (stack.products, stack.orders):
        assert requests.get(f"{service.url}/healthz", timeout=30).text == "OK"


def worker_pids(service: Service) -> list[str]:
    assert service.process is not None
    pid = service.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def check(service: Service, case: Case) -> None:
    lines_before = len(service.log_lines())

    answer = exchange(service.port, case.raw, half_close=case.half_close)

    assert answer.status == case.status
    problem = check_problem(answer.body, answer.headers["Content-Type"], case.status, case.code)
    assert CANARY not in answer.body.lower()
    assert CANARY not in str(answer.headers).encode().lower()

    lines = service.log_lines()[lines_before:]
    assert [(line["request_id"], line["status"]) for line in lines] == [(problem["requestId"], case.status)]
    assert "exception" not in lines[0]


@pytest.mark.parametrize("case", bad_input.ORDERS, ids=lambda case: case.name)
def test_orders_answers_with_a_problem(stack: Stack, case: Case) -> None:
    check(stack.orders, case)


@pytest.mark.parametrize("case", bad_input.PRODUCTS, ids=lambda case: case.name)
def test_products_answers_with_a_problem(stack: Stack, case: Case) -> None:
    check(stack.products, case)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(post_chunked(chunks(ORDER)), id="one chunk"),
        pytest.param(post_chunked(chunks(*(bytes([byte]) for byte in ORDER))), id="a chunk a byte"),
        pytest.param(post_chunked(chunks(ORDER.ljust(LIMIT))), id="exactly the limit"),
        pytest.param(
            post_chunked(b"1F;name=value\r\n" + ORDER + b"\r\n0\r\nX-Checksum: x\r\n\r\n"), id="every feature"
        ),
        pytest.param(post_chunked(chunks(ORDER), b"Expect: 100-continue"), id="asked first"),
        pytest.param(post(ORDER.ljust(LIMIT)), id="no chunks, exactly the limit"),
    ],
)
def test_a_well_formed_body_is_read_however_it_is_sent(stack: Stack, raw: bytes) -> None:
    answer = exchange(stack.orders.port, raw)

    assert (answer.status, answer.json()["quantity"]) == (201, 2)


def test_a_client_of_a_usual_library_can_read_the_refusal_of_10_mb(stack: Stack) -> None:
    with requests.Session() as session:
        session.headers["Content-Type"] = "application/json"
        for _ in range(3):
            answer = session.post(f"{stack.orders.url}/orders", data=b" " * 10_000_000, timeout=30)

            assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_clients_that_do_not_hang_up_keep_nobody_waiting(stack: Stack) -> None:
    started = time.monotonic()
    with ExitStack() as open_connections:
        for _ in range(10):
            connection = open_connections.enter_context(connect(stack.orders.port))
            connection.sendall(request(b"GET", b"/nowhere"))
            assert read_answer(connection).status == 404

    assert time.monotonic() - started < 10  # it would be 18 s if gunicorn waited 2 s for each in its accepting loop


def test_stalled_clients_are_told_so_and_hold_no_thread(stack: Stack) -> None:
    stalls = {
        "head": request(b"POST", b"/orders")[:40],
        "body": post(ORDER[:9], length=31),
        "chunk": post_chunked(b"1f\r\n" + ORDER[:9]),
        "next chunk": post_chunked(chunks(ORDER, end=b"")),
    }
    lines_before = len(stack.orders.log_lines())
    with ExitStack() as open_connections:
        connections = {name: open_connections.enter_context(connect(stack.orders.port)) for name in stalls}
        for name, raw in stalls.items():  # as many as there are threads
            connections[name].sendall(raw)

        after = requests.get(f"{stack.orders.url}/nowhere", timeout=30)

        assert after.status_code == 404
        for connection in connections.values():
            answer = read_answer(connection)
            assert (answer.status, answer.json()["code"]) == (408, "request_timeout")

    lines = stack.orders.log_lines()[lines_before:]
    assert sorted(line["status"] for line in lines) == [404, 408, 408, 408, 408]
    assert not any("exception" in line for line in lines)


@pytest.mark.parametrize("accept", [b"application/openmetrics-text;version=k4n4ry", b"text/plain;version=\xff", b";,;"])
def test_a_garbled_accept_gets_the_metrics_as_text(stack: Stack, accept: bytes) -> None:
    answer = exchange(stack.products.port, request(b"GET", b"/metrics", b"Accept: " + accept))

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert b"argos_build_info" in answer.body
