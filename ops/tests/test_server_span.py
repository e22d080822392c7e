"""The server span continues its client's trace, and keeps of a tracestate what can be read."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, StatusCode

from ops.telemetry import tracing
from ops.telemetry.request_context import EXCEPTION
from ops.telemetry.server_span import ServerSpanMiddleware
from ops.telemetry.spans import LeanTracerProvider

PARENT = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), LeanTracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", provider.get_tracer("argos"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    return exporter


def seen_by_view(request: HttpRequest) -> SpanContext:
    found: list[SpanContext] = []

    def view(request: HttpRequest) -> HttpResponse:
        found.append(trace.get_current_span().get_span_context())
        return HttpResponse()

    ServerSpanMiddleware(view)(request)
    return found[0]


def test_without_tracing_django_leaves_the_middleware_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert not tracing.is_configured(settings.CONFIG)

    with pytest.raises(MiddlewareNotUsed):
        ServerSpanMiddleware(lambda request: HttpResponse())


def test_the_clients_trace_goes_on(exporter: InMemorySpanExporter) -> None:
    context = seen_by_view(RequestFactory().get("/", headers={"traceparent": PARENT}))

    (span,) = exporter.get_finished_spans()
    assert span.context == context
    assert f"{context.trace_id:032x}" in PARENT
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" in PARENT


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("argos=keep,vendor=a", "argos=keep,vendor=a"),
        ("argos=keep,BAD,vendor=a", "argos=keep,vendor=a"),
        ("argos=keep,=,x=, ,vendor=a=b", "argos=keep"),
        (" argos=keep\t,,tenant@vendor=1", "argos=keep,tenant@vendor=1"),
        ("argos=first,argos=second", "argos=first"),
        ("Argos=keep", ""),
        (",".join(f"m{number}=1" for number in range(40)), ",".join(f"m{number}=1" for number in range(32))),
    ],
)
def test_one_bad_member_of_a_tracestate_loses_itself_alone(
    exporter: InMemorySpanExporter, sent: str, kept: str
) -> None:
    context = seen_by_view(RequestFactory().get("/", headers={"traceparent": PARENT, "tracestate": sent}))

    assert context.trace_state.to_header() == kept


def test_an_unhandled_exception_is_in_the_span(exporter: InMemorySpanExporter) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request.META[EXCEPTION] = ValueError("broken")
        return HttpResponse(status=500)

    ServerSpanMiddleware(view)(RequestFactory().get("/?token=secret", HTTP_USER_AGENT="secret"))

    (span,) = exporter.get_finished_spans()
    assert (span.name, span.status.status_code) == ("GET unmatched", StatusCode.ERROR)
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert [event.name for event in span.events] == ["exception"]
    assert "secret" not in str(span.attributes)
    assert tracing.REDACTED in str(span.attributes)
