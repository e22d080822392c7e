"""What each SQL statement leaves behind: the metrics of django-prometheus, and a client span within a trace.

The engines of `ops.database.engines` give every statement to `observe_query`, by Django's public place for it:
https://docs.djangoproject.com/en/5.2/topics/db/instrumentation/
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from django_prometheus.db import errors_total, execute_many_total, execute_total, query_duration_seconds
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from prometheus_client import Counter, Histogram

from ops.telemetry import tracing


def observe_query(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Run a statement; count it, time it and trace it.

    A statement outside a trace has no span: a probe's, for example. SQLite's BEGIN is left out, as PostgreSQL's never
    comes here.
    """
    statement = sql if isinstance(sql, str) else str(sql)
    if statement.startswith("BEGIN"):
        return execute(sql, params, many, context)
    database = context["connection"]
    alias, vendor = database.alias, database.vendor
    executed, executed_many, duration = _series(alias, vendor)
    times = len(params) if many else 1
    executed.inc(times)
    if many:
        executed_many.inc(times)
    is_traced = trace.get_current_span().is_recording() and not tracing.is_stock
    span = _start_span(statement, database) if is_traced else None
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    except Exception as error:
        cause = error.__cause__ or error  # the driver's error says more than Django's
        errors_total.labels(alias, vendor, type(cause).__name__).inc()
        if span is not None:
            span.record_exception(cause)
            span.set_status(StatusCode.ERROR, f"{type(cause).__name__}: {cause}")
        raise
    finally:
        duration.observe(time.perf_counter() - started)
        if span is not None:
            span.end()


@cache
def _series(alias: str, vendor: str) -> tuple[Counter, Counter, Histogram]:
    """Return the series of a database; to look them up takes as long as to write to them."""
    return (
        execute_total.labels(alias, vendor),
        execute_many_total.labels(alias, vendor),
        query_duration_seconds.labels(alias, vendor),
    )


def _start_span(statement: str, database: Any) -> Span:
    """Start a span with the stable attributes of databases; nothing begins within it, so it is not made current.

    https://opentelemetry.io/docs/specs/semconv/database/database-spans/
    """
    settings = database.settings_dict
    attributes = _attributes(database.vendor, settings["NAME"], settings["HOST"], settings["PORT"])
    return tracing.tracer.start_span(
        _operation(statement), kind=SpanKind.CLIENT, attributes={**attributes, "db.query.text": statement}
    )


@lru_cache(maxsize=512)
def _operation(statement: str) -> str:
    """Return the first word of a statement, which names its span."""
    return statement.split(maxsplit=1)[0] if statement.strip() else "SQL"


@cache
def _attributes(vendor: str, name: Any, host: str, port: Any) -> dict[str, str | int]:
    """Return what every span of a database says of it."""
    found: dict[str, str | int] = {"db.system.name": vendor}
    if vendor != "sqlite":
        found["db.namespace"] = str(name)
        if host:
            found |= {"server.address": host, "server.port": int(port or 5432)}
    return found
