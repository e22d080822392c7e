"""Jaeger's query API over the spans of a local receiver."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.otlp_receiver import OtlpReceiver


def found(collector: OtlpReceiver, trace_id: str) -> dict[str, Any]:
    """Return Jaeger's answer to GET /api/traces/{id}."""
    spans = [span for span in collector.spans if span.trace_id == trace_id]
    if not spans:
        return {"data": None, "errors": [{"code": 404, "msg": "trace not found"}]}
    services = sorted({span.service for span in spans})
    trace = {
        "traceID": trace_id,
        "spans": [
            {"spanID": span.span_id, "operationName": span.name, "processID": f"p{services.index(span.service)}"}
            for span in spans
        ],
        "processes": {f"p{number}": {"serviceName": service} for number, service in enumerate(services)},
    }
    return {"data": [trace], "errors": None}


@contextmanager
def jaeger_api(collector: OtlpReceiver) -> Iterator[str]:
    """Yield the URL of the API."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = found(collector, self.path.removeprefix("/api/traces/"))
            body = json.dumps(document).encode()
            self.send_response(200 if document["data"] else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
