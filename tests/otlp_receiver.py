"""A trace collector like Jaeger: OTLP over HTTP, in memory, with the typical failures of collectors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from tests.processes import free_port

Mode = Literal["ok", "refusing", "black hole", "slow", "503"]
SLOW = 3.0  # seconds, longer than the exporter's time limit


@dataclass(frozen=True)
class ReceivedSpan:
    """One span with the service in its resource."""

    name: str
    kind: str  # server, client or internal
    trace_id: str
    span_id: str
    parent_id: str
    trace_state: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    error: bool

    @property
    def service(self) -> str:
        return str(self.resource["service.name"])


@dataclass
class OtlpReceiver:
    """The received spans; `url` is a JAEGER_ENDPOINT."""

    mode: Mode
    port: int = field(default_factory=free_port)
    bodies: list[bytes] = field(default_factory=list)
    calls: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/traces"

    @property
    def spans(self) -> list[ReceivedSpan]:
        return [span for body in list(self.bodies) for span in _parse(body)]

    def wait_for(self, trace_id: str, *names: str, within: float = 60.0) -> list[ReceivedSpan]:
        """Return the spans of a trace when it contains those named; a span arrives after its children."""
        deadline = time.monotonic() + within
        while True:
            found = [span for span in self.spans if span.trace_id == trace_id]
            if {span.name for span in found} >= set(names):
                return found
            assert time.monotonic() < deadline, f"{names} did not arrive in trace {trace_id}; there are {found}"
            time.sleep(0.05)


@contextmanager
def otlp_receiver(mode: Mode = "ok", *, port: int | None = None) -> Iterator[OtlpReceiver]:
    """Yield a receiver in this mode, on the port or a free one; `refusing` does not listen."""
    receiver = OtlpReceiver(mode, port or free_port())
    if mode == "refusing":
        yield receiver
        return
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            receiver.calls += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if mode == "black hole":
                closing.wait()
                self.close_connection = True
                return
            if mode == "slow":
                closing.wait(SLOW)
            if mode == "ok":
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == "application/x-protobuf"
                receiver.bodies.append(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(503 if mode == "503" else 200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Ignore clients that gave up."""

    server = Server(("127.0.0.1", receiver.port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _parse(body: bytes) -> Iterator[ReceivedSpan]:
    for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _attributes(sent.resource.attributes)
        for scope in sent.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    name=span.name,
                    kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    trace_state=span.trace_state,
                    attributes=_attributes(span.attributes),
                    resource=resource,
                    error=span.status.code == span.status.STATUS_CODE_ERROR,
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs if isinstance(pair, KeyValue)}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
