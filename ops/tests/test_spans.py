"""A lean span sends the message that the SDK's own span sends, for whatever is done to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from ops.telemetry.span_encoding import encode_request
from ops.telemetry.spans import LeanTracerProvider

SAMPLED = TraceFlags(TraceFlags.SAMPLED)
REMOTE = SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7, is_remote=True, trace_flags=SAMPLED)
STATEFUL = SpanContext(1, 2, is_remote=True, trace_flags=SAMPLED, trace_state=TraceState([("vendor", "own")]))
UNSAMPLED = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0))
RESOURCE = Resource({"service.name": "orders-service"})
Act = Callable[[trace.Tracer], Any]


class SameIds(RandomIdGenerator):
    """Make the ids that the other provider makes."""

    def __init__(self) -> None:
        self._last = 0

    def generate_trace_id(self) -> int:
        return 0x0AF7651916CD43DD8448EB211C80319C

    def generate_span_id(self) -> int:
        self._last += 1
        return self._last


def sent_by(
    kind: type[TracerProvider], act: Act, ids: type[RandomIdGenerator] = SameIds, **options: Any
) -> Sequence[ReadableSpan]:
    """Return what an exporter of the SDK gets."""
    exporter = InMemorySpanExporter()
    provider = kind(resource=RESOURCE, id_generator=ids(), shutdown_on_exit=False, **options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    act(provider.get_tracer("argos", "1.0", "https://opentelemetry.io/schemas/1.27.0", {"of": "a scope"}))
    return exporter.get_finished_spans()


def started(tracer: trace.Tracer, parent: SpanContext | None = None, **options: Any) -> Span:
    context = trace.set_span_in_context(NonRecordingSpan(parent)) if parent else None
    return tracer.start_span("GET /products/<int:product_id>", context, start_time=1000, **options)


def plain(tracer: trace.Tracer) -> None:
    started(tracer).end(2000)


def server(tracer: trace.Tracer) -> None:
    span = started(tracer, REMOTE, kind=SpanKind.SERVER, attributes={"text": "a", "number": 1, "true": True})
    span.set_attributes({"half": 0.5, "list": ["a", "b"]})
    span.set_attribute("list", "changed")  # the last one, as the order of attributes means nothing
    span.update_name("renamed")
    span.end(2000)


def stateful(tracer: trace.Tracer) -> None:
    started(tracer, STATEFUL).end(2000)


def ended_twice_and_changed_after(tracer: trace.Tracer) -> None:
    span = started(tracer)
    span.end(2000)
    span.set_attribute("late", 1)
    span.set_attributes({"later": 1})
    span.set_status(StatusCode.ERROR)
    span.update_name("late")
    span.add_event("late")
    span.end(3000)
    assert not span.is_recording()


def with_statuses(tracer: trace.Tracer) -> None:
    span = started(tracer)
    span.set_status(StatusCode.UNSET)
    span.set_status(Status(StatusCode.ERROR, "broken"))
    span.set_status(StatusCode.OK)
    span.set_status(StatusCode.ERROR, "too late")
    span.end(2000)


def failed(tracer: trace.Tracer) -> None:
    span = started(tracer)
    span.record_exception(ValueError("broken"), {"more": 1}, timestamp=1500)
    span.set_status(StatusCode.ERROR, "broken")
    span.end(2000)


def linked(tracer: trace.Tracer) -> None:
    span = started(tracer, links=[Link(REMOTE, {"of": "a link"})])
    span.add_link(STATEFUL)
    span.end(2000)


def overfull(tracer: trace.Tracer) -> None:
    span = started(tracer)
    span.set_attributes({f"number.{number}": number for number in range(200)})
    for number in range(200):
        span.add_event(str(number), timestamp=1500)
        span.add_link(REMOTE)
    span.end(2000)


def nested(tracer: trace.Tracer) -> None:
    with tracer.start_as_current_span("outer", start_time=1000, end_on_exit=False) as outer:
        tracer.start_span("inner", start_time=1200).end(1500)
        assert trace.get_current_span() is outer
    outer.end(2000)


@pytest.mark.parametrize(
    "act",
    [plain, server, stateful, ended_twice_and_changed_after, with_statuses, failed, linked, overfull, nested],
)
def test_both_send_equal_messages(act: Act) -> None:
    stock, lean = sent_by(TracerProvider, act), sent_by(LeanTracerProvider, act)

    expected = encode_spans(stock)
    assert encode_spans(lean) == expected
    assert ExportTraceServiceRequest.FromString(encode_request(lean)) == expected


# All that OTEL_TRACES_SAMPLER may name. The lean tracer asks them only for spans without a sampled span around them.
SAMPLERS = [
    ALWAYS_ON,
    ALWAYS_OFF,
    TraceIdRatioBased(0.5),
    *map(ParentBased, (ALWAYS_ON, ALWAYS_OFF, TraceIdRatioBased(0.5))),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description()[:30])
@pytest.mark.parametrize("trace_id", [1, 2**64 - 1])  # a ratio of a half takes the first one
@pytest.mark.parametrize("flags", [TraceFlags.SAMPLED, 0, None])
def test_each_sampler_decides_of_nested_spans_as_with_the_sdk(sampler: Any, trace_id: int, flags: int | None) -> None:
    class Ids(SameIds):
        def generate_trace_id(self) -> int:
            return trace_id

    def act(tracer: trace.Tracer) -> None:
        parent = None if flags is None else SpanContext(trace_id, 9, is_remote=True, trace_flags=TraceFlags(flags))
        context = None if parent is None else trace.set_span_in_context(NonRecordingSpan(parent))
        with tracer.start_as_current_span("outer", context, start_time=1000, end_on_exit=False) as outer:
            tracer.start_span("inner", start_time=1200).end(1500)
        outer.end(2000)

    stock, lean = (sent_by(kind, act, sampler=sampler, ids=Ids) for kind in (TracerProvider, LeanTracerProvider))

    assert encode_spans(lean) == encode_spans(stock)


def test_a_block_that_raises_is_an_error_with_its_exception() -> None:
    def raising(tracer: trace.Tracer) -> None:
        with pytest.raises(ValueError, match="broken"), tracer.start_as_current_span("outer"):
            raise ValueError("broken")

    (stock,), (lean,) = sent_by(TracerProvider, raising), sent_by(LeanTracerProvider, raising)

    assert (lean.status.status_code, lean.status.description) == (StatusCode.ERROR, "ValueError: broken")
    assert lean.status.description == stock.status.description
    assert [event.name for event in lean.events] == [event.name for event in stock.events] == ["exception"]
    assert dict(lean.events[0].attributes or {}).keys() == dict(stock.events[0].attributes or {}).keys()


@pytest.mark.parametrize(
    ("sampler", "parent", "count"),
    [
        (ALWAYS_OFF, REMOTE, 0),
        (ParentBased(ALWAYS_OFF), REMOTE, 1),
        (ParentBased(ALWAYS_OFF), UNSAMPLED, 0),
        (ParentBased(ALWAYS_OFF), None, 0),
        (TraceIdRatioBased(1.0), None, 1),
    ],
)
def test_the_sampler_decides(sampler: Any, parent: SpanContext | None, count: int) -> None:
    contexts: list[SpanContext] = []

    def act(tracer: trace.Tracer) -> None:
        span = started(tracer, parent)
        contexts.append(span.get_span_context())
        span.end()

    sent = [len(sent_by(kind, act, sampler=sampler)) for kind in (TracerProvider, LeanTracerProvider)]

    assert sent == [count, count]
    assert contexts[0] == contexts[1]
