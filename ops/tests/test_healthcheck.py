"""The containers' health check for each answer of a service."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ops.server import healthcheck


@contextmanager
def service_answering(status: int) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Do not log."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_a_service_that_answers_200_is_healthy() -> None:
    with service_answering(200) as port:
        assert healthcheck.check(port) is None


def test_any_other_answer_is_named() -> None:
    with service_answering(503) as port:
        assert healthcheck.check(port) == f"/healthz on port {port} answered 503"


def test_a_port_that_nobody_listens_on_is_not_healthy() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

        assert "ConnectionRefusedError" in str(healthcheck.check(port))


def test_a_service_that_hangs_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healthcheck, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "TimeoutError" in str(healthcheck.check(silent.getsockname()[1]))


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with service_answering(200) as port:
        assert healthcheck.check(port) is None
