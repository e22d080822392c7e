"""The page's picture of who calls whom: one arrow for each caller and callee, from the recorded spans alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.development import store
from ops.development.calls import Arrow, arrows
from ops.development.store import Span

MILLISECOND = 1_000_000


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = str(tmp_path / "recording.sqlite3")
    store.add_service(path, "products-service", 3001)
    return path


def span(service: str, kind: str, *, parent: str = "", took: int = 1, error: str = "", **attributes: Any) -> Span:
    """Return a span of a trace, named by its kind."""
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    times = (0, took * MILLISECOND)
    return Span("t", f"{service}-{kind}", parent, service, kind, kind, *times, error, named)


def test_a_call_goes_to_the_service_that_has_its_port(recording: str) -> None:
    to: list[dict[str, Any]] = [
        {"server_address": "localhost", "server_port": 3001},
        {"server_address": "x", "server_port": 99},
    ]
    spans = [span("orders-service", "client", parent="p", **attributes) for attributes in to]
    store.write(recording, spans, [])

    assert [(arrow.caller, arrow.callee) for arrow in arrows(recording)] == [
        ("orders-service", "products-service"),
        ("orders-service", "x:99"),
    ]


def test_an_arrow_has_calls_errors_and_the_95th_percentile(recording: str) -> None:
    to: dict[str, Any] = {"server_address": "localhost", "server_port": 3001}
    calls = [span("orders-service", "client", took=took, error="503" * (took > 98), **to) for took in range(1, 101)]
    store.write(recording, calls, [])

    assert arrows(recording) == [Arrow("orders-service", "products-service", 100, 2, "95.0 ms")]


def test_clients_come_first_and_databases_last(recording: str) -> None:
    statement = span("orders-service", "client", db_system_name="postgresql", server_address="db", server_port=5432)
    arrived = span("orders-service", "server")
    continued = span("products-service", "server", parent="orders-service-client")
    store.write(recording, [statement, continued, arrived], [])

    assert [(arrow.caller, arrow.callee) for arrow in arrows(recording)] == [
        ("clients", "orders-service"),
        ("orders-service", "database of orders-service"),
    ]


def test_an_event_goes_from_the_relay_to_its_receiver(recording: str) -> None:
    sent = span("orders-service", "producer", messaging_system="http")
    posted = span("orders-service", "client", parent=sent.span_id, server_address="localhost", server_port=3001)
    taken = span("products-service", "consumer", parent="within", messaging_system="http")
    store.write(recording, [sent, posted, taken], [])

    assert [(arrow.caller, arrow.callee) for arrow in arrows(recording)] == [
        ("relay of orders-service", "products-service")
    ]


def test_an_event_goes_through_the_broker(recording: str) -> None:
    sent = span("orders-service", "producer", messaging_system="rabbitmq")
    taken = span("products-service", "consumer", parent=sent.span_id, messaging_system="rabbitmq")
    within = span("products-service", "internal", parent=taken.span_id)
    store.write(recording, [sent, taken, within], [])

    assert [(arrow.caller, arrow.callee) for arrow in arrows(recording)] == [
        ("rabbitmq", "products-service"),
        ("relay of orders-service", "rabbitmq"),
    ]
