"""The facts of a request live in one place; the log line holds copies of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from structlog.contextvars import bind_contextvars, get_contextvars

from ops.telemetry import request_context
from ops.telemetry.request_context import PeerFailure


@pytest.fixture(autouse=True)
def _no_request() -> Iterator[None]:
    request_context.clear()
    yield
    request_context.clear()


def test_a_request_without_an_id_gets_one() -> None:
    first, second = request_context.begin(), request_context.begin()

    assert first.request_id
    assert first.request_id != second.request_id


def test_a_server_that_knows_when_the_request_arrived_is_believed() -> None:
    assert request_context.begin("r1", arrived_at=12.5).arrived_at == 12.5


def test_a_new_request_knows_nothing_of_the_one_before() -> None:
    request_context.begin("r1")
    request_context.set_trace("a" * 32, "b" * 16)
    request_context.set_peer_failure(PeerFailure("products", "timeout", "TimeoutError", 2))

    bind_contextvars(order_id=1)

    request_context.begin("r2", arrived_at=1.0)

    assert request_context.current() == request_context.RequestContext("r2", 1.0)
    assert request_context.log_fields() == {"request_id": "r2"}
    assert get_contextvars() == {}


def test_the_log_line_holds_what_the_context_holds() -> None:
    request_context.begin("r1")
    request_context.set_trace("a" * 32, "b" * 16)
    request_context.set_peer_failure(PeerFailure("products", "timeout", "TimeoutError", 2))

    assert request_context.log_fields() == {
        "request_id": "r1",
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "peer": "products",
        "peer_outcome": "timeout",
        "peer_reason": "TimeoutError",
        "peer_tries": 2,
    }


def test_a_thread_with_a_copy_of_the_context_changes_only_its_own() -> None:
    request_context.begin("r1")
    failure = PeerFailure("products", "timeout", "TimeoutError", 1)

    thread = threading.Thread(target=copy_context().run, args=(request_context.set_peer_failure, failure))
    thread.start()
    thread.join()

    assert request_context.current().peer_failure is None
    assert "peer" not in request_context.log_fields()
