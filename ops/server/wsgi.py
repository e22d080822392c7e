"""The WSGI application of every service's wsgi.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

import django
from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.urls import get_resolver
from django.utils.functional import cached_property

from ops.server.middleware import HEADERS
from ops.settings import FOR_BROWSERS

API_MIDDLEWARE = "ops.server.middleware.ApiMiddleware"  # for clients without cookies, in place of FOR_BROWSERS


class Request(WSGIRequest):
    """Read a chunked body: PEP 3333 knows only Content-Length, so Django treats it as empty."""

    def __init__(self, environ: dict[str, Any]) -> None:
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower() and environ.get("wsgi.input_terminated"):
            self._take_chunks(environ)
        super().__init__(environ)

    @cached_property
    def _host(self) -> str:
        return super().get_host()

    def get_host(self) -> str:
        """Return the host, judged once for each request: tracing, the middleware and links ask for it."""
        return self._host

    def _take_chunks(self, environ: dict[str, Any]) -> None:
        # One byte past the limit is enough for the parser to answer 413.
        try:
            body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        except Exception as error:  # noqa: BLE001 - gunicorn's errors and time-outs lack a narrower base class
            environ["wsgi.input"] = _Unreadable(error)
            environ["CONTENT_LENGTH"] = "1"
        else:
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))


class _Unreadable:
    """Raise the error of an unreadable body when the body is read, within the handling of the request."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, *_: int) -> bytes:
        raise self._error if isinstance(self._error, OSError) else OSError("the chunked body is malformed")

    readline = read


class Application(WSGIHandler):
    request_class = Request


class ApiApplication(Application):
    """Add the headers that are the same for every answer, past Django, which would judge each of them each time."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, headers + environ.get(HEADERS, []), *error)

        return super().__call__(environ, start)


def _api_application() -> ApiApplication:
    """Return an application that has one middleware in place of those for browsers."""
    every, (first, *others) = settings.MIDDLEWARE, FOR_BROWSERS
    settings.MIDDLEWARE = [API_MIDDLEWARE if name == first else name for name in every if name not in others]
    try:
        return ApiApplication()
    finally:
        settings.MIDDLEWARE = every


def _disconnect_idle_receivers() -> None:
    """Disconnect Django's receivers that do nothing in these services, at a twentieth of a read.

    Django keeps queries only with DEBUG, which is never on. The receiver at the end of a request leaves no old
    connection for the next one. Every request has the URL configuration of the settings. A cache in memory has nothing
    to close.
    """
    request_started.disconnect(reset_queries)
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(reset_urlconf)
    if all(cache["BACKEND"].endswith(("LocMemCache", "DummyCache")) for cache in settings.CACHES.values()):
        request_finished.disconnect(close_caches)


def get_application() -> Callable[..., Iterable[bytes]]:
    """Set Django up and return its application with loaded views, so that the first request is fast.

    An API's client without cookies meets one middleware in place of those for browsers, which are a fifth of a read.
    """
    django.setup(set_prefix=False)
    _disconnect_idle_receivers()
    _ = get_resolver().url_patterns
    everything, api = Application(), _api_application()
    paths = tuple(settings.API_PATHS)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        is_plain = (
            environ["PATH_INFO"].startswith(paths)
            and "HTTP_COOKIE" not in environ
            and "html" not in environ.get("HTTP_ACCEPT", "").lower()
        )
        return (api if is_plain else everything)(environ, start_response)

    return application
