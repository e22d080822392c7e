"""Spans that hold what OTLP needs and nothing else, by the public interfaces of OpenTelemetry.

The SDK's own span takes a lock for each attribute, copies itself when it ends, and keeps metrics of itself. This one
has the same readable members, so the SDK's processors and exporters take it too.
https://opentelemetry.io/docs/specs/otel/trace/sdk/
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import time_ns
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

MOST_ATTRIBUTES = 128  # the specification's default; so are the two below
MOST_EVENTS = 128
MOST_LINKS = 128
UNSET = Status(StatusCode.UNSET)
Attributes = Mapping[str, Any] | None


class LeanSpan(trace.Span):
    """Record one operation; a thread has it for itself until it ends."""

    dropped_attributes = dropped_events = dropped_links = 0
    events: Sequence[Event] = ()
    links: Sequence[Link] = ()
    status = UNSET
    end_time: int | None = None

    def __init__(
        self, tracer: LeanTracer, name: str, context: SpanContext, parent: SpanContext | None, kind: SpanKind
    ) -> None:
        self.tracer = tracer
        self.name = name
        self.context = context
        self.parent = parent
        self.kind = kind
        self.attributes: dict[str, Any] = {}
        self.start_time = time_ns()

    @property
    def resource(self) -> Resource:
        return self.tracer.provider.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        return self.tracer.scope

    def get_span_context(self) -> SpanContext:
        return self.context

    def is_recording(self) -> bool:
        return self.end_time is None

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        if len(self.attributes) + len(attributes) <= MOST_ATTRIBUTES and self.end_time is None:
            self.attributes.update(attributes)
            return
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def set_attribute(self, key: str, value: Any) -> None:
        if self.end_time is not None:
            return
        if len(self.attributes) >= MOST_ATTRIBUTES and key not in self.attributes:
            del self.attributes[next(iter(self.attributes))]  # the oldest, as the SDK does
            self.dropped_attributes += 1
        self.attributes[key] = value

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        if self.end_time is None:
            events = [*self.events, Event(name, attributes, timestamp)]
            self.dropped_events += len(events[:-MOST_EVENTS])
            self.events = events[-MOST_EVENTS:]

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        if self.end_time is None and (context.is_valid or attributes or context.trace_state):
            links = [*self.links, Link(context, attributes)]
            self.dropped_links += len(links[:-MOST_LINKS])
            self.links = links[-MOST_LINKS:]

    def update_name(self, name: str) -> None:
        if self.end_time is None:
            self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        wanted = status if isinstance(status, Status) else Status(status, description)
        if self.end_time is None and self.status.status_code is not StatusCode.OK and not wanted.is_unset:
            self.status = wanted

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        kind = type(exception)
        is_builtin = kind.__module__ == "builtins"
        found = {
            "exception.type": kind.__qualname__ if is_builtin else f"{kind.__module__}.{kind.__qualname__}",
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
            **(attributes or {}),
        }
        self.add_event("exception", found, timestamp)

    def end(self, end_time: int | None = None) -> None:
        if self.end_time is None:
            self.end_time = end_time or time_ns()
            for processor in self.tracer.provider.processors:
                processor.on_end(self)  # type: ignore[arg-type] # it has what a ReadableSpan has


class LeanTracer(trace.Tracer):
    """Start spans, as the provider's sampler decides."""

    def __init__(self, provider: LeanTracerProvider, scope: InstrumentationScope) -> None:
        self.provider = provider
        self.scope = scope
        self._flags = TraceFlags.RANDOM_TRACE_ID if provider.id_generator.is_trace_id_random() else 0

    def start_span(  # noqa: PLR0917 - the API's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        ids = self.provider.id_generator
        current = trace.get_current_span(context)
        known = current.get_span_context()
        parent = known if known.is_valid else None
        if isinstance(current, LeanSpan) and known.trace_flags & TraceFlags.SAMPLED:
            # Every sampler that OTEL_TRACES_SAMPLER names samples the child of a span that this process samples.
            own = SpanContext(known.trace_id, ids.generate_span_id(), False, known.trace_flags, known.trace_state)
        else:
            trace_id = ids.generate_trace_id() if parent is None else parent.trace_id
            result = self.provider.sampler.should_sample(context, trace_id, name, kind, attributes, links or ())
            flags = self._flags if parent is None else parent.trace_flags & TraceFlags.RANDOM_TRACE_ID
            if result.decision is Decision.RECORD_AND_SAMPLE:
                flags |= TraceFlags.SAMPLED
            own = SpanContext(trace_id, ids.generate_span_id(), False, TraceFlags(flags), result.trace_state)
            if result.decision is Decision.DROP:
                return trace.NonRecordingSpan(own)
            attributes = result.attributes
        span = LeanSpan(self, name, own, parent, kind)
        if start_time is not None:
            span.start_time = start_time
        if attributes:
            span.set_attributes(attributes)
        for link in links or ():
            span.add_link(link.context, link.attributes)
        for processor in self.provider.processors:
            processor.on_start(span, parent_context=context)  # type: ignore[arg-type] # as above
        return span

    @contextmanager
    def start_as_current_span(  # type: ignore[override] # noqa: PLR0917 - the API's, whose kind of context manager is private
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[trace.Span]:
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with trace.use_span(span, end_on_exit, record_exception, set_status_on_exception):
            yield span


class LeanTracerProvider(TracerProvider):
    """The SDK's provider, whose sampler, ids and resource serve lean spans."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.processors: tuple[SpanProcessor, ...] = ()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        super().add_span_processor(span_processor)  # which shuts it down with the provider
        self.processors += (span_processor,)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        scope = InstrumentationScope(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        return LeanTracer(self, scope)
