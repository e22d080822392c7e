"""Each statement is counted and timed, in the metrics of django-prometheus, and traced within a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import REGISTRY

from ops.telemetry import tracing
from ops.telemetry.spans import LeanTracerProvider

pytestmark = pytest.mark.django_db


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"django_db_{name}", {"alias": "default", **labels}) or 0.0


def counts() -> list[float]:
    names = ("execute_total", "execute_many_total", "query_duration_seconds_count")
    return [value(name, vendor=connection.vendor) for name in names]


def moved(before: list[float]) -> list[float]:
    return [now - then for now, then in zip(counts(), before, strict=True)]


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), LeanTracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", provider.get_tracer("argos"))
    with tracing.tracer.start_as_current_span("request"):
        yield exporter


def ask(sql: str, parameters: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def test_a_statement_is_counted_and_timed_once() -> None:
    before = counts()

    ask("SELECT 1")

    assert moved(before) == [1, 0, 1]


def test_many_at_once_are_each_counted_and_timed_together() -> None:
    ask("CREATE TEMPORARY TABLE counted (number int)")
    before = counts()

    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO counted VALUES (%s)", [[1], [2], [3]])

    assert moved(before) == [3, 3, 1]


def test_a_statement_that_fails_is_timed_and_counted_by_the_drivers_error() -> None:
    kind = "UndefinedTable" if connection.vendor == "postgresql" else "OperationalError"
    before, failed = counts(), value("errors_total", vendor=connection.vendor, type=kind)

    with pytest.raises(DatabaseError):
        ask("SELECT * FROM nowhere")

    assert moved(before) == [1, 0, 1]
    assert value("errors_total", vendor=connection.vendor, type=kind) == failed + 1


def test_a_new_connection_is_counted() -> None:
    before = value("new_connections_total", vendor=connection.vendor)

    other = connection.copy()
    other.connect()
    other.close()

    assert value("new_connections_total", vendor=connection.vendor) == before + 1


def test_a_statement_within_a_trace_is_a_client_span(exporter: InMemorySpanExporter) -> None:
    ask("SELECT %s", [1])

    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == ("SELECT", SpanKind.CLIENT, StatusCode.UNSET)
    attributes = dict(span.attributes or {})
    assert attributes.pop("db.query.text") == "SELECT %s"
    assert attributes.pop("db.system.name") == connection.vendor
    if connection.vendor == "postgresql":
        assert attributes.pop("db.namespace") == connection.settings_dict["NAME"]
        assert attributes.keys() == {"server.address", "server.port"}
    else:
        assert attributes == {}


def test_a_failure_is_in_its_span(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(DatabaseError):
        ask("SELECT * FROM nowhere")

    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


@pytest.mark.parametrize("sql", ["BEGIN", "BEGIN IMMEDIATE"])
def test_the_begin_of_a_transaction_is_no_statement(sql: str, exporter: InMemorySpanExporter) -> None:
    before = counts()

    context = {"connection": connection}
    for wrapper in connection.execute_wrappers:
        assert wrapper(lambda *_: "begun", sql, None, False, context) == "begun"

    assert moved(before) == [0, 0, 0]
    assert exporter.get_finished_spans() == ()
