"""OpenTelemetry traces over OTLP/HTTP, started once a process, and only where an endpoint is configured."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import Span

from ops.config.service import ServiceConfig
from ops.telemetry import FAULTS, request_context
from ops.telemetry.otel_environment import LIMIT, Fault

log = structlog.get_logger(__name__)

STOCK = "ARGOS_STOCK_TELEMETRY"  # for tests: with any value, the libraries' own classes trace
REDACTED = "[redacted]"

tracer = trace.get_tracer("argos")
is_stock = False  # the libraries' instrumentations trace requests and statements
_ignored: list[Fault] = []  # `report_warnings` says them once the log is set up
_stock_reasons: list[str] = []


def is_configured(config: ServiceConfig) -> bool:
    """Tell whether traces have somewhere to go: JAEGER_ENDPOINT, the standard variables, or the page /dev."""
    return endpoint(config) is not None or bool(config.development_recording)


def endpoint(config: ServiceConfig) -> str | None:
    """Return the URL that spans are sent to; None: nowhere."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    if exact := config.jaeger_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return exact
    base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return f"{base.rstrip('/')}/v1/traces" if base else None


def start_tracing(config: ServiceConfig) -> None:
    """Trace requests, outbound calls and SQL from now on; call it after the settings and before the application.

    Without a destination nothing is instrumented, so tracing costs nothing.
    """
    url = endpoint(config)
    # Without tracing, OpenTelemetry's variables are not meant for this process.
    _ignored.extend(fault for fault in FAULTS if url or fault.variable.endswith("_ENDPOINT"))
    if not is_configured(config):
        return
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    if reason := _problem_with_lean_spans():
        _stock_reasons.append(reason)
        _start_stock(config, url)
    else:
        _start_lean(config, url)
    if config.development_recording:
        from ops.development.recorder import recorder  # noqa: PLC0415 - only development loads it

        provider: Any = trace.get_tracer_provider()
        provider.add_span_processor(recorder(config))


def report_warnings() -> None:
    """Log the faults that `start_tracing` found; an AppConfig's `ready` calls this, once the log is set up."""
    for variable, problem in _ignored:
        log.warning("telemetry.variable_ignored", variable=variable, problem=problem)
    for reason in _stock_reasons:
        log.warning("telemetry.stock", reason=reason)
    _ignored.clear()
    _stock_reasons.clear()


def _problem_with_lean_spans() -> str | None:
    """Return why the SDK's own spans must serve: they are asked for, or would send something else."""
    if STOCK in os.environ:
        return f"{STOCK} is set"
    if limits := sorted(name for name in os.environ if LIMIT.fullmatch(name)):
        return f"lean spans have the default limits, not {', '.join(limits)}"
    try:
        from ops.telemetry.example_span import differs  # noqa: PLC0415 - the SDK is loaded only to trace

        return "the SDK would send another message" if differs() else None
    except Exception as error:  # noqa: BLE001 - whatever a new version of the SDK lacks
        return f"{type(error).__name__}: {error}"


def _start_stock(config: ServiceConfig, url: str | None) -> None:
    from ops.telemetry import stock_tracing  # noqa: PLC0415 - it wraps libraries on import

    global is_stock  # noqa: PLW0603 - decided once a process
    is_stock = True
    stock_tracing.start(resource(config), url)


def _start_lean(config: ServiceConfig, url: str | None) -> None:
    from ops.telemetry.span_export import Collector, OtlpExporter, QueueProcessor  # noqa: PLC0415 - as above
    from ops.telemetry.spans import LeanTracerProvider  # noqa: PLC0415 - likewise

    provider = LeanTracerProvider(resource=resource(config))
    if url is not None:
        provider.add_span_processor(QueueProcessor.from_environment(OtlpExporter(Collector.from_environment(url))))
    trace.set_tracer_provider(provider)


def resource(config: ServiceConfig) -> Resource:
    """Return what every span says of this process."""
    return Resource.create(
        {
            "service.name": os.environ.get("OTEL_SERVICE_NAME") or config.service,
            "service.version": config.service_version,
            "deployment.environment.name": config.django_env,
        }
    )


def bind_trace(span: Span) -> None:
    """Put the span's ids into every log line and problem of this context."""
    context = span.get_span_context()
    if context.is_valid:
        request_context.set_trace(trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id))


def command_span(name: str) -> AbstractContextManager[Span]:
    """Return the root span of one command."""
    return tracer.start_as_current_span(f"manage.py {name}")
