"""A bare WSGI function: the upper limit of gunicorn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

BODY = b'{"id":1,"name":"Quantum Laptop"}'


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Return the answer of GET /products/1."""
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]
