"""One request to a WSGI application, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.core.signals import request_started
from django.db import close_old_connections


def call_wsgi(
    application: Callable[..., Iterable[bytes]], environ: dict[str, Any]
) -> tuple[str, dict[str, str], bytes]:
    """Return status, headers and body of the answer."""
    environ.setdefault("HTTP_HOST", "localhost")
    setup_testing_defaults(environ)
    started: list[Any] = []

    def start_response(*arguments: Any) -> Any:
        started.append(arguments)

    request_started.disconnect(close_old_connections)  # as Django's test client does
    try:
        body = b"".join(application(environ, start_response))
    finally:
        request_started.connect(close_old_connections)
    status, headers = started[0][:2]
    names = [name.lower() for name, _ in headers if name != "Set-Cookie"]
    assert len(names) == len(set(names)), f"a header is there twice: {names}"
    return status, dict(headers), body
