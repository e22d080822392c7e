"""The spans of events: an event continues the trace of its change, through the relay to its effect.

Names and attributes are those of OpenTelemetry's semantic conventions for messaging.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, propagate, trace
from opentelemetry.trace import Span, SpanKind

from events.cloudevents import Event
from ops.telemetry.tracing import tracer

OPERATION_TYPE = "messaging.operation.type"


def current_traceparent() -> str:
    """Return the current span as W3C's traceparent; empty without tracing."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return ""
    ids = trace.format_trace_id(span.trace_id), trace.format_span_id(span.span_id)
    return f"00-{ids[0]}-{ids[1]}-{int(span.trace_flags):02x}"


@contextmanager
def producer_span(event: Event, *, system: str, destination: str) -> Iterator[dict[str, str]]:
    """Trace the sending of one event; yield the headers that continue the trace in the consumer."""
    with tracer.start_as_current_span(
        f"send {destination}",
        context=_of(event.traceparent),
        kind=SpanKind.PRODUCER,
        attributes=_attributes(event, system, destination, "send"),
    ):
        yield injected()


@contextmanager
def consumer_span(event: Event, *, system: str, destination: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """Trace an event's effect: within the current span, such as the request's, or after the sender's."""
    is_within = trace.get_current_span().get_span_context().is_valid
    traceparent = headers.get("traceparent") or event.traceparent
    with tracer.start_as_current_span(
        f"process {destination}",
        context=None if is_within else _of(traceparent),
        kind=SpanKind.CONSUMER,
        attributes=_attributes(event, system, destination, "process"),
    ) as span:
        yield span


@contextmanager
def untraced() -> Iterator[None]:
    """Exclude a loop's statements from traces: the command's own span lasts as long as the process."""
    token = context.attach(context.Context())
    try:
        yield
    finally:
        context.detach(token)


def injected() -> dict[str, str]:
    """Return the current span as headers."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return {name: value for name, value in headers.items() if name in ("traceparent", "tracestate")}


def _of(traceparent: str) -> context.Context:
    return (
        propagate.extract({"traceparent": traceparent}, context=context.Context())
        if traceparent
        else (context.Context())
    )


def _attributes(event: Event, system: str, destination: str, operation: str) -> dict[str, str]:
    return {
        "messaging.system": system,
        "messaging.operation.name": operation,
        OPERATION_TYPE: operation,
        "messaging.destination.name": destination,
        "messaging.message.id": event.id,
        "cloudevents.event_id": event.id,
        "cloudevents.event_source": event.source,
        "cloudevents.event_type": event.type,
        "cloudevents.event_subject": event.subject,
    }
