"""A products service for tests: real HTTP with two products."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from django.conf import settings
from django.test import override_settings

from orders_project.orders.products_client import products_client

PRODUCTS = {"/products/1": {"id": 1, "name": "Quantum Laptop"}, "/products/2": {"id": 2, "name": "Neutrino Keyboard"}}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        product = PRODUCTS.get(self.path)
        body = json.dumps(product or {"code": "not_found"}).encode()
        self.send_response(200 if product else 404)
        self.send_header("Content-Type", "application/json" if product else "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Do not log."""


@contextmanager
def orders_asks(url: str) -> Iterator[None]:
    """Let orders call the products service at this URL with a new client."""
    config = settings.CONFIG.model_copy(update={"products_service_url": url})
    products_client.cache_clear()
    with override_settings(CONFIG=config):
        yield
    products_client.cache_clear()


@contextmanager
def products_peer() -> Iterator[None]:
    """Run the service in a thread and let orders call it."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with orders_asks(f"http://127.0.0.1:{server.server_port}"):
                yield
        finally:
            server.shutdown()
            thread.join()
