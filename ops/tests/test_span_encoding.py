"""The encoded spans equal those of the library."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace import set_span_in_context as within
from opentelemetry.trace.span import TraceState

from ops.telemetry.span_encoding import encode_request

provider = TracerProvider(resource=Resource.create({"service.name": "orders-service"}))
tracer = provider.get_tracer("argos", "1.0", "https://opentelemetry.io/schemas/1.27.0", {"of": "a scope"})
TRACE, PARENT, SAMPLED = 0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7, TraceFlags(TraceFlags.SAMPLED)
LOCAL = SpanContext(TRACE, PARENT, is_remote=False, trace_flags=SAMPLED)
REMOTE = SpanContext(TRACE, PARENT, is_remote=True, trace_flags=SAMPLED)
STATEFUL = SpanContext(TRACE, PARENT, is_remote=True, trace_flags=SAMPLED, trace_state=TraceState([("vendor", "own")]))
VALUES = {
    "text": "a b",
    "empty": "",
    "unicode": "Größe 🦉",
    "long": "x" * 5000,
    "one": 1,
    "true": True,
    "negative": -1,
    "huge": 2**62,
    "half": 0.5,
    "list": ("a", "b"),
    "none": None,
}


def span(name: str = "GET /products/<int:product_id>", *, parent: SpanContext | None = None, **more: object) -> Span:
    context = within(NonRecordingSpan(parent)) if parent else None
    return tracer.start_span(name, context, **more)  # type: ignore[arg-type] # the test's arguments


def failed() -> Span:
    found = span()
    found.record_exception(ValueError("broken"))
    found.set_status(Status(StatusCode.ERROR, "broken"))
    return found


def overfull() -> Span:
    found = span()
    found.set_attributes({f"number.{number}": number for number in range(500)})
    return found


@pytest.mark.parametrize(
    "make",
    [
        span,
        lambda: span("", kind=SpanKind.SERVER),
        lambda: span("ü" * 100, kind=SpanKind.CONSUMER),
        lambda: span(parent=REMOTE, kind=SpanKind.SERVER, attributes=VALUES),
        lambda: span(parent=LOCAL, kind=SpanKind.CLIENT),
        lambda: span(parent=STATEFUL),
        lambda: span(links=[Link(REMOTE, {"of": "a link"})]),
        failed,
        overfull,
    ],
)
def test_a_span_is_encoded_as_the_library_encodes_it(make: Callable[[], Span]) -> None:
    made = make()
    made.end()
    assert isinstance(made, ReadableSpan)
    assert ExportTraceServiceRequest.FromString(encode_request([made])) == encode_spans([made])


def test_spans_are_sent_below_their_own_scope() -> None:
    other = provider.get_tracer("other")
    made = [span(), other.start_span("INSERT"), span(), other.start_span("SELECT")]
    for one in made:
        one.end()
    request = ExportTraceServiceRequest.FromString(encode_request(made))  # type: ignore[arg-type] # the SDK's spans
    found = {
        scope.scope.name: [one.name for one in scope.spans]
        for resource in request.resource_spans
        for scope in resource.scope_spans
    }
    assert found == {"argos": ["GET /products/<int:product_id>"] * 2, "other": ["INSERT", "SELECT"]}
    for one in request.resource_spans:
        assert {"service.name": "orders-service"}.items() <= {
            attribute.key: attribute.value.string_value for attribute in one.resource.attributes
        }.items()
