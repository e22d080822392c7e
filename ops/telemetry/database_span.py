"""The span of an SQL statement, by OpenTelemetry's DB-API instrumentation without what Argos has no use for.

The library makes the span current, though no other begins within it, sets its attributes one after another, and keeps
a histogram that nobody reads: two thirds of the span's cost. Its instrumentors, tracers and connections stay.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from opentelemetry import trace
from opentelemetry.instrumentation.dbapi import CursorTracer
from opentelemetry.trace import SpanKind, Status, StatusCode


@lru_cache(maxsize=512)
def operation(statement: str) -> str:
    """Return the first word of a statement, which names its span."""
    return statement.split(maxsplit=1)[0]


def traced_execution(
    tracer: CursorTracer[Any], cursor: Any, query_method: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Run a statement in a client span, with the stable attributes of databases.

    https://opentelemetry.io/docs/specs/semconv/database/database-spans/

    What no request and no command asked for has no span: the probes' statements, and those of the connection pool,
    which sets up its connections in threads of its own, and tries one with an empty statement.
    """
    statement = tracer.get_statement(cursor, args)
    if not trace.get_current_span().is_recording() or not statement.strip():
        return query_method(*args, **kwargs)
    integration = tracer._db_api_integration  # noqa: SLF001 - what the library's own method, which this replaces, reads
    span = integration._tracer.start_span(  # noqa: SLF001 - likewise
        operation(statement),
        kind=SpanKind.CLIENT,
        attributes={
            "db.system.name": integration.database_system,
            "db.namespace": integration.database,
            "db.query.text": statement,
            **integration.span_attributes,
        },
    )
    try:
        return query_method(*args, **kwargs)
    except Exception as error:
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        raise
    finally:
        span.end()


def install() -> None:
    """Have every instrumented cursor run its statements through `traced_execution`."""
    CursorTracer.traced_execution = traced_execution  # type: ignore[method-assign,assignment]
