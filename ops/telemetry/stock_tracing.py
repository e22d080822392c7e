"""Tracing by the SDK and its instrumentations alone: slower, for when the lean classes do not fit the SDK.

A span says the same either way; tests/test_telemetry.py runs with both.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from ops.config import role
from ops.config.role import Role
from ops.telemetry.metrics import UNMATCHED, method_label, route_of
from ops.telemetry.otel_environment import EXPORT_TIMEOUT, batch_size, option, queue_size
from ops.telemetry.request_context import EXCEPTION
from ops.telemetry.tracing import REDACTED, bind_trace


def start(resource: Resource, endpoint: str | None) -> None:
    """Install the SDK's provider, processor and exporter, and the instrumentations of Django and the databases."""
    provider = TracerProvider(resource=resource)
    if endpoint is not None:
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=None if option("TIMEOUT") else EXPORT_TIMEOUT)
        provider.add_span_processor(BatchSpanProcessor(exporter, queue_size(), max_export_batch_size=batch_size()))
    trace.set_tracer_provider(provider)
    if role.current() is Role.WEB:
        # Behind ops.server.middleware.RequestMiddleware, which answers the probes and /metrics: these are never traced.
        DjangoInstrumentor().instrument(middleware_position=1, request_hook=on_request, response_hook=on_response)
    PsycopgInstrumentor().instrument()
    SQLite3Instrumentor().instrument()


def on_request(span: trace.Span, request: HttpRequest) -> None:
    """Bind the trace; say of what may hold a secret that it is there, no more; leave the port out of the address."""
    bind_trace(span)
    span.set_attribute("server.address", split_domain_port(request.get_host())[0])
    for name, key in (("url.query", "QUERY_STRING"), ("user_agent.original", "HTTP_USER_AGENT")):
        if request.META.get(key):
            span.set_attribute(name, REDACTED)


def on_response(span: trace.Span, request: HttpRequest, response: HttpResponse) -> None:
    """Name the span by method and route, as the lean server span does."""
    route = route_of(request)
    span.update_name(f"{method_label(request.method)} {route}")
    if route != UNMATCHED:
        span.set_attribute("http.route", route)
    if error := request.META.get(EXCEPTION):
        span.record_exception(error)
