"""OpenTelemetry traces over OTLP/HTTP, started once for each process, only if an endpoint is configured."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Span

from ops.config import role
from ops.config.role import Role
from ops.config.service import ServiceConfig
from ops.telemetry import request_context

EXPORT_TIMEOUT = 1.0  # seconds for one batch; a slow collector costs spans, never requests or the shutdown
SHUTDOWN_TIMEOUT = 0.5  # seconds to send the rest; gunicorn may have waited 2 s for idle connections before
BATCH = 256  # spans; requests wait while a batch is encoded, twice as long with the library's 512
REDACTED = "[redacted]"

tracer = trace.get_tracer("argos")


class CountingExporter(OTLPSpanExporter):
    """Count the spans that the collector did not take."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        if result is not SpanExportResult.SUCCESS:
            count_dropped(len(spans))
        return result


def count_dropped(spans: int) -> None:
    """Count spans that are lost."""
    from ops.telemetry import metrics  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

    metrics.telemetry_spans_dropped_total.inc(spans)


class BoundedBatchSpanProcessor(BatchSpanProcessor):
    """Send spans in batches; give up after SHUTDOWN_TIMEOUT instead of the library's 30 s."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span; count the oldest one if a full queue drops it."""
        if len(self._batch_processor._queue) == self._batch_processor._max_queue_size:  # noqa: SLF001 - no public name
            count_dropped(1)
        super().on_end(span)

    def shutdown(self) -> None:
        self._batch_processor.shutdown(timeout_millis=int(SHUTDOWN_TIMEOUT * 1000))


def is_configured(config: ServiceConfig) -> bool:
    """Return whether traces have a destination: JAEGER_ENDPOINT or the standard OTEL_EXPORTER_OTLP_* variables."""
    return endpoint(config) is not None


def endpoint(config: ServiceConfig) -> str | None:
    """Return the URL of the exporter, from the same variables; None without one."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    if exact := config.jaeger_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return exact
    base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return f"{base.rstrip('/')}/v1/traces" if base else None


def start_tracing(config: ServiceConfig) -> None:
    """Trace requests, outbound calls and SQL from now on; call it after the settings and before the application.

    Without an endpoint, nothing is instrumented and tracing costs nothing.
    """
    if not is_configured(config):
        return
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    os.environ.setdefault("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(BATCH))
    timeouts = ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
    session = requests.Session()
    session.trust_env = False  # or ~/.netrc replaces the collector's token, and a proxy takes the spans
    exporter = CountingExporter(
        endpoint=config.jaeger_endpoint,
        session=session,
        timeout=None if any(os.environ.get(name) for name in timeouts) else EXPORT_TIMEOUT,
    )
    use_exporter(config, BoundedBatchSpanProcessor(exporter))


def use_exporter(config: ServiceConfig, processor: BatchSpanProcessor) -> None:
    """Install the tracer provider and the instrumentations."""
    # Imported here, as each wraps its library on import, which must not happen without tracing.
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor  # noqa: PLC0415
    from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor  # noqa: PLC0415

    from ops.telemetry import database_span, span_encoding  # noqa: PLC0415 - likewise
    from ops.telemetry.server_span import ServerSpanInstrumentor  # noqa: PLC0415 - likewise

    resource = Resource.create(
        {
            "service.name": os.environ.get("OTEL_SERVICE_NAME") or config.service,
            "service.version": config.service_version,
            "deployment.environment.name": config.django_env,
        }
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    # Behind ops.server.middleware.RequestMiddleware, which answers the probes and /metrics, so these are never traced;
    # and what this middleware refuses (a bad Host) is logged and counted.
    if role.current() is Role.WEB:
        ServerSpanInstrumentor().instrument(middleware_position=1)
    PsycopgInstrumentor().instrument()
    SQLite3Instrumentor().instrument()
    database_span.install()
    span_encoding.install()


def bind_trace(span: Span) -> None:
    """Put the span's ids into every log line and problem of this context."""
    context = span.get_span_context()
    if context.is_valid:
        request_context.set_trace(trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id))


def command_span(name: str) -> AbstractContextManager[Span]:
    """Return the root span of one command."""
    return tracer.start_as_current_span(f"manage.py {name}")
