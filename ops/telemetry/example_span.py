"""A span to try the lean classes with, before a process relies on them: a new version of the SDK may not fit."""

from __future__ import annotations

from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind, StatusCode

from ops.telemetry.span_encoding import encode_request
from ops.telemetry.span_export import Collector, OtlpExporter, QueueProcessor
from ops.telemetry.spans import LeanTracerProvider


def differs() -> bool:
    """Tell whether the SDK would send another message than the lean classes do; raise what they raise."""
    provider = LeanTracerProvider(resource=Resource({"service.name": "example"}), shutdown_on_exit=False)
    processor = QueueProcessor(OtlpExporter(Collector("http://localhost")))
    processor.shutdown()  # it then sends nothing
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("example")
    with tracer.start_as_current_span("GET", kind=SpanKind.SERVER, attributes={"text": "a", "number": 1}) as parent:
        failed = tracer.start_span("SELECT", kind=SpanKind.CLIENT)
        failed.record_exception(ValueError("broken"))
        failed.set_status(StatusCode.ERROR, "broken")
        failed.end()
    spans: list[Any] = [parent, failed]
    return bool(ExportTraceServiceRequest.FromString(encode_request(spans)) != encode_spans(spans))
