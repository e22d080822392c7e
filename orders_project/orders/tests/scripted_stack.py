"""Both services, Prometheus and Jaeger as one scripted server that breaks only the requested promises."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

JSON, PROBLEM = "application/json", "application/problem+json"
CONTRACT = {
    "openapi": "3.1.0",
    "paths": {
        "/products": {"get": {}},
        "/products/{product_id}": {"get": {}},
        "/orders": {"post": {}},
        "/orders/{order_id}": {"get": {}},
    },
}


@dataclass
class Said:
    """One answer."""

    document: Any
    status: int = 200
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode()


@dataclass
class ScriptedStack:
    """`instead` maps a request to the answer that breaks a promise; requests are recorded."""

    url: str
    instead: dict[str, Said] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    created: int = 7
    trace_id: str = ""
    services: list[str] = field(default_factory=lambda: ["orders-service", "products-service"])

    def answer(self, name: str, headers: dict[str, str], body: bytes) -> Said:
        trace_id = headers.get("traceparent", "--").split("-")[1]
        if name == "POST /orders":
            wanted = json.loads(body)
            name += " invalid" if wanted["quantity"] == 0 else "" if wanted["productId"] == 1 else " unknown"
        self.asked.append(name)
        if name in self.instead:
            return self.instead[name]
        if name == "POST /orders":
            self.created, self.trace_id = self.created + 1, trace_id
            order = {**wanted, "id": 5, "status": "confirmed", "createdAt": "2026-11-20T09:30:00.123456Z"}
            return Said(order, 201, headers={"Location": f"{self.url}/orders/5"})
        if name.startswith("POST"):
            code = "validation_error" if name.endswith("invalid") else "product_does_not_exist"
            return problem(code, trace_id, headers["X-Request-ID"])
        answers = {
            "/healthz": Said(b"OK", content_type="text/plain"),
            "/readyz": Said({"status": "ok"}),
            "/openapi.json": Said(CONTRACT),
            "/products/1": Said({"id": 1, "name": "Quantum Laptop"}),
            "/metrics": Said(
                f"# TYPE orders_created_total counter\norders_created_total {self.created}\n".encode(),
                content_type="text/plain",
            ),
            "/api/v1/query": Said({"data": {"result": [{"value": [0, str(self.created)]}]}}),
            f"/api/traces/{self.trace_id}": trace(*self.services),
        }
        return answers[name.removeprefix("GET ")]


def problem(code: str, trace_id: str | None, request_id: str, **members: Any) -> Said:
    document = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "No.", "code": code}
    document |= {"traceId": trace_id, "requestId": request_id, "errors": [{"field": "quantity"}]}
    return Said(document | members, 400, PROBLEM)


def trace(*services: str) -> Said:
    spans = [{"processID": f"p{number}"} for number in range(len(services))]
    processes = {f"p{number}": {"serviceName": name} for number, name in enumerate(services)}
    return Said({"data": [{"spans": spans, "processes": processes}]})


@contextmanager
def scripted_stack() -> Iterator[ScriptedStack]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = re.sub(r"/products/\d+", "/products/1", urlsplit(self.path).path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = stack.answer(f"{self.command} {path}", dict(self.headers), body)
            self.send_response(said.status)
            headers = {"Content-Type": said.content_type, "Content-Length": str(len(said.body)), **said.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stack = ScriptedStack(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stack
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
