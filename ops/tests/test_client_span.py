"""The span of an outbound request has its peer and its result, and the peer continues the trace."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from ops.outbound.client import PeerUnavailable
from ops.telemetry import client_span
from ops.tests.peers import refused
from ops.tests.raw_peer import RawPeer, raw_peer
from ops.tests.test_http_client import get, make_client, read


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(client_span, "tracer", provider.get_tracer("test"))
    return exporter


def traced(exporter: InMemorySpanExporter) -> tuple[ReadableSpan, Mapping[str, Any]]:
    span = exporter.get_finished_spans()[-1]
    return span, span.attributes or {}


def say(answer: bytes) -> Any:
    def serve(peer: RawPeer, sock: socket.socket) -> None:
        peer.read_request(sock)
        sock.sendall(answer)
        peer.stopped.wait(10)

    return serve


def test_an_answer(exporter: InMemorySpanExporter) -> None:
    with raw_peer(RawPeer.answer_forever) as peer:
        get(make_client(), peer.url(), read)

    span, attributes = traced(exporter)
    assert (span.name, span.kind, span.status.status_code) == ("GET", SpanKind.CLIENT, StatusCode.UNSET)
    assert attributes == {
        "http.request.method": "GET",
        "url.full": peer.url(),
        "server.address": "127.0.0.1",
        "server.port": peer.address[1],
        "user_agent.original": "argos",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "network.peer.address": "127.0.0.1",
        "network.peer.port": peer.address[1],
    }
    assert span.context is not None
    sent = f"traceparent: 00-{span.context.trace_id:032x}-{span.context.span_id:016x}-"
    assert sent in peer.requests[0].decode()


def test_a_refusal_is_an_error_of_the_one_who_asks(exporter: InMemorySpanExporter) -> None:
    with raw_peer(say(b"HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\n\r\nno")) as peer:
        assert get(make_client(), peer.url(), read) == (404, b"no")

    span, attributes = traced(exporter)
    assert span.status.status_code is StatusCode.ERROR
    assert (attributes["error.type"], attributes["network.protocol.version"]) == ("404", "1.0")


def test_no_answer(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(PeerUnavailable):
        get(make_client(), refused(), read)

    span, attributes = traced(exporter)
    assert span.status.status_code is StatusCode.ERROR
    assert attributes["error.type"] == "ConnectionRefusedError"
    assert [event.name for event in span.events] == ["exception"]
