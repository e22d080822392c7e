"""The span of an outbound request says whom it asked and what came of it, and the peer hears of it."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from ops import client_span as module
from ops.client_span import client_span, set_answer


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(module, "tracer", provider.get_tracer("test"))
    return exporter


def traced(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def test_an_answer(exporter: InMemorySpanExporter) -> None:
    headers = {"User-Agent": "argos"}
    with client_span("GET", "http://products.internal:3001/products/1", headers) as span:
        set_answer(span, 200)

    found = traced(exporter)
    assert (found.name, found.kind, found.status.status_code) == ("GET", SpanKind.CLIENT, StatusCode.UNSET)
    assert found.attributes == {
        "http.request.method": "GET",
        "url.full": "http://products.internal:3001/products/1",
        "server.address": "products.internal",
        "server.port": 3001,
        "user_agent.original": "argos",
        "http.response.status_code": 200,
    }
    assert found.context is not None
    assert headers["traceparent"].split("-")[1:3] == [f"{found.context.trace_id:032x}", f"{found.context.span_id:016x}"]


def test_a_refusal_is_an_error_of_the_one_who_asks(exporter: InMemorySpanExporter) -> None:
    with client_span("GET", "https://products.internal/products/1", {}) as span:
        set_answer(span, 404)

    found = traced(exporter)
    assert found.status.status_code is StatusCode.ERROR
    assert found.attributes is not None
    assert (found.attributes["error.type"], found.attributes["server.port"]) == ("404", 443)


def test_no_answer(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(TimeoutError), client_span("PUT", "http://[::1]:3001/reservations/1", {}):
        raise TimeoutError

    found = traced(exporter)
    assert found.status.status_code is StatusCode.ERROR
    assert found.attributes is not None
    assert (found.attributes["error.type"], found.attributes["server.address"]) == ("TimeoutError", "::1")
    assert [event.name for event in found.events] == ["exception"]
