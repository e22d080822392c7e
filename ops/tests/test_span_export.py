"""Spans reach the collector in batches; those that do not are counted, and the log says so once a minute."""

from __future__ import annotations

import gzip
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ops.telemetry.span_export import Collector, OtlpExporter, QueueProcessor
from ops.telemetry.spans import LeanTracerProvider


class Receiver(ThreadingHTTPServer):
    """Answer with the statuses given, one after another, and keep what was sent."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = list(statuses)
        self.got: list[tuple[dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"


class Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receivers() -> Iterator[Any]:
    started: list[Receiver] = []

    def start(*statuses: int) -> Receiver:
        started.append(Receiver(*statuses))
        return started[-1]

    yield start
    for receiver in started:
        receiver.shutdown()
        receiver.server_close()


def spans(count: int = 2) -> list[Any]:
    tracer = LeanTracerProvider(resource=Resource({"service.name": "s"}), shutdown_on_exit=False).get_tracer("argos")
    made = [tracer.start_span(f"span {number}") for number in range(count)]
    for span in made:
        span.end()
    return made


def dropped() -> float:
    return REGISTRY.get_sample_value("telemetry_spans_dropped_total") or 0


def names(body: bytes) -> list[str]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span.name for scope in request.resource_spans[0].scope_spans for span in scope.spans]


def test_a_batch_is_posted_as_the_standard_variables_say(receivers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip")
    receiver = receivers()

    assert OtlpExporter(Collector.from_environment(receiver.url)).export(spans()) is SpanExportResult.SUCCESS

    ((headers, body),) = receiver.got
    assert names(gzip.decompress(body)) == ["span 0", "span 1"]
    assert headers["authorization"] == "Bearer abc"
    assert (headers["Content-Type"], headers["Content-Encoding"]) == ("application/x-protobuf", "gzip")


def test_the_machines_proxy_and_netrc_are_not_the_collectors(
    receivers: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    receiver = receivers()

    OtlpExporter(Collector(receiver.url, headers={"authorization": "Bearer abc"})).export(spans())

    assert receiver.got[0][0]["authorization"] == "Bearer abc"


def test_a_busy_collector_is_tried_again(receivers: Any) -> None:
    receiver = receivers(503)

    assert OtlpExporter(Collector(receiver.url, timeout=30)).export(spans()) is SpanExportResult.SUCCESS

    assert len(receiver.got) == 2


def test_a_refusal_is_final_and_counted_and_logged_once(receivers: Any) -> None:
    receiver = receivers(400, 400)
    exporter, before = OtlpExporter(Collector(receiver.url)), dropped()

    with capture_logs() as lines:
        results = [exporter.export(spans()), exporter.export(spans())]

    assert results == [SpanExportResult.FAILURE] * 2
    assert dropped() == before + 4
    assert [(line["event"], line["reason"]) for line in lines] == [("telemetry.export_failed", "answered 400")]


def test_no_collector_at_all_is_counted() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and it does not listen
        exporter, before = OtlpExporter(Collector(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=0.2)), dropped()

        assert exporter.export(spans()) is SpanExportResult.FAILURE

    assert dropped() == before + 2


class Held(InMemorySpanExporter):
    """Take batches once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.release.wait(30)
        return super().export(spans)


def test_a_span_that_a_full_queue_pushes_out_is_counted() -> None:
    exporter, before = Held(), dropped()
    processor = QueueProcessor(exporter, queue_size=2, batch=2, delay=60)

    for span in spans(6):  # two are being sent at most, two wait, and the others are lost
        processor.on_end(span)
    exporter.release.set()
    processor.force_flush()
    processor.shutdown()

    assert dropped() - before == 6 - len(exporter.get_finished_spans())
    assert dropped() >= before + 2


def test_a_full_batch_does_not_wait_for_the_delay() -> None:
    sent = threading.Event()

    class Telling(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            sent.set()
            return super().export(spans)

    processor = QueueProcessor(Telling(), batch=2, delay=600)

    for span in spans(2):
        processor.on_end(span)

    assert sent.wait(30)
    processor.shutdown()


def test_what_is_left_is_sent_at_the_shutdown() -> None:
    exporter = InMemorySpanExporter()
    processor = QueueProcessor(exporter, delay=600)
    for span in spans(3):
        processor.on_end(span)

    processor.shutdown()

    assert [span.name for span in exporter.get_finished_spans()] == ["span 0", "span 1", "span 2"]


def test_a_batch_that_cannot_be_encoded_does_not_end_the_thread() -> None:
    class Failing(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if spans[0].name == "span 0":
                raise ValueError("broken")
            return super().export(spans)

    exporter, before = Failing(), dropped()
    processor = QueueProcessor(exporter, batch=1, delay=600)
    for span in spans(2):
        processor.on_end(span)
    processor.shutdown()

    assert dropped() == before + 1
    assert [span.name for span in exporter.get_finished_spans()] == ["span 1"]


def test_a_forked_process_sends_its_own_spans_and_not_its_parents() -> None:
    exporter = InMemorySpanExporter()
    processor = QueueProcessor(exporter, delay=600)
    first, second = spans(2)
    processor.on_end(first)

    child = os.fork()
    if not child:
        processor.on_end(second)
        processor.shutdown()
        os._exit(0 if [span.name for span in exporter.get_finished_spans()] == ["span 1"] else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    processor.shutdown()
