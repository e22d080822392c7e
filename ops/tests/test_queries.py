"""Each statement is counted and timed, in the metrics of django-prometheus, and traced within a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import REGISTRY

from ops.telemetry import tracing
from ops.telemetry.spans import LeanTracerProvider

pytestmark = pytest.mark.django_db


@pytest.fixture
def database() -> Iterator[Any]:
    """Yield a connection with metrics of its own: other tests' threads ask the default one now and then."""
    database: Any = connection.copy(alias=uuid4().hex)
    yield database
    database.close()
    if database.vendor == "postgresql":
        database.close_pool()


def value(name: str, database: Any, **labels: str) -> float:
    labels |= {"alias": database.alias, "vendor": database.vendor}
    return REGISTRY.get_sample_value(f"django_db_{name}", labels) or 0.0


def counts(database: Any) -> list[float]:
    names = ("execute_total", "execute_many_total", "query_duration_seconds_count")
    return [value(name, database) for name in names]


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), LeanTracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", provider.get_tracer("argos"))
    with tracing.tracer.start_as_current_span("request"):
        yield exporter


def ask(database: Any, sql: str, parameters: Any = None) -> None:
    with database.cursor() as cursor:
        cursor.execute(sql, parameters)


def test_a_statement_is_counted_and_timed_once(database: Any) -> None:
    ask(database, "SELECT 1")

    assert counts(database) == [1, 0, 1]


def test_many_at_once_are_each_counted_and_timed_together(database: Any) -> None:
    ask(database, "CREATE TEMPORARY TABLE counted (number int)")
    with database.cursor() as cursor:
        cursor.executemany("INSERT INTO counted VALUES (%s)", [[1], [2], [3]])

    assert counts(database) == [4, 3, 2]


def test_a_statement_that_fails_is_timed_and_counted_by_the_drivers_error(database: Any) -> None:
    with pytest.raises(DatabaseError):
        ask(database, "SELECT * FROM nowhere")

    kind = "UndefinedTable" if database.vendor == "postgresql" else "OperationalError"
    assert counts(database) == [1, 0, 1]
    assert value("errors_total", database, type=kind) == 1


def test_a_new_connection_is_counted(database: Any) -> None:
    ask(database, "SELECT 1")

    assert value("new_connections_total", database) == 1


def test_a_statement_within_a_trace_is_a_client_span(database: Any, exporter: InMemorySpanExporter) -> None:
    ask(database, "SELECT %s", [1])

    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == ("SELECT", SpanKind.CLIENT, StatusCode.UNSET)
    attributes = dict(span.attributes or {})
    assert attributes.pop("db.query.text") == "SELECT %s"
    assert attributes.pop("db.system.name") == database.vendor
    if database.vendor == "postgresql":
        assert attributes.pop("db.namespace") == database.settings_dict["NAME"]
        assert attributes.keys() == {"server.address", "server.port"}
    else:
        assert attributes == {}


def test_a_failure_is_in_its_span(database: Any, exporter: InMemorySpanExporter) -> None:
    with pytest.raises(DatabaseError):
        ask(database, "SELECT * FROM nowhere")

    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


@pytest.mark.parametrize("sql", ["BEGIN", "BEGIN IMMEDIATE"])
def test_the_begin_of_a_transaction_is_no_statement(sql: str, database: Any, exporter: InMemorySpanExporter) -> None:
    for wrapper in database.execute_wrappers:
        assert wrapper(lambda *_: "begun", sql, None, False, {"connection": database}) == "begun"

    assert counts(database) == [0, 0, 0]
    assert exporter.get_finished_spans() == ()
