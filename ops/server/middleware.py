"""One pass over each request: probes, request id, one log line and one latency observation."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import structlog
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers
from django_structlog.middlewares import RequestMiddleware as StructlogRequestMiddleware

from ops.api.problems import RENAMED, problem_response
from ops.api.sessions import SESSION_READ
from ops.server import health, scrape_gauges  # noqa: F401 - the second one is for /metrics
from ops.server.answer import BODILESS
from ops.server.client_address import client_address
from ops.telemetry import metrics, request_context
from ops.telemetry.log_stream import count_lost
from ops.telemetry.request_context import ARRIVED_AT, EXCEPTION, WELL_FORMED_ID

log = structlog.get_logger("ops.request")

LONGEST_PATH = 512
HEADERS = "argos.headers"  # the key of request.META: those that `ops.server.wsgi` adds to the answer

PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": health.healthz,
    "/readyz": health.readyz,
    "/metrics": metrics.metrics,
}


def _level(status: int) -> int:
    return logging.ERROR if status >= 500 else logging.WARNING if status >= 400 else logging.INFO


def _complete(response: HttpResponse) -> HttpResponse:
    """Add the length, without which a server sends chunks, and the reason that the problem's title says too."""
    if response.status_code in RENAMED:
        response.reason_phrase = RENAMED[response.status_code]
    if response.status_code in BODILESS:
        del response["Content-Length"]  # 0 would be the length of the answer that a 304 stands for
    elif not response.streaming and "Content-Length" not in response:
        response["Content-Length"] = str(len(response.content))
    return response


class RequestMiddleware(StructlogRequestMiddleware):
    """Answer probes for any Host before anything else; log and measure every other request once.

    The library's class logs a request twice, with its query string, and either trusts or ignores X-Request-ID.
    Its public methods are its extension points.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        super().__init__(get_response)
        self._trusted = settings.CONFIG.trusted_proxies

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if probe := PROBES.get(request.path_info):
            request_context.clear()
            return _complete(self._answer_probe(request, probe))
        request.META["REMOTE_ADDR"] = client_address(request.META, self._trusted)
        self.prepare(request)
        response: HttpResponse = self.get_response(request)  # type: ignore[assignment] # never async, as said above
        self.handle_response(request, response)
        return _complete(response)

    def _answer_probe(self, request: HttpRequest, probe: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            refusal = problem_response(405, "method_not_allowed", f"{request.path_info} answers GET and HEAD.")
            refusal["Allow"] = "GET, HEAD"
            return refusal
        return probe(request)

    def prepare(self, request: HttpRequest) -> None:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_context.begin(
            given if WELL_FORMED_ID.fullmatch(given) else None, arrived_at=request.META.get(ARRIVED_AT)
        )

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        try:
            self._observe(request, response)
        except Exception:  # noqa: BLE001 - an answer is worth more than its log line and its metrics
            count_lost()
        response["X-Request-ID"] = request_context.current().request_id or ""

    def _observe(self, request: HttpRequest, response: HttpResponse) -> None:
        """Measure the request, then log it: the metrics do not depend on the log."""
        context = request_context.current()
        seconds = time.monotonic() - (context.arrived_at or 0)
        route = metrics.route_of(request)
        metrics.observe_request(request.method or "", route, response.status_code, seconds, context.trace_id)
        error = request.META.get(EXCEPTION)
        fields: dict[str, Any] = {"exc_info": error} if error is not None else {}
        log.log(
            _level(response.status_code),
            "request.finished",
            method=request.method,
            route=route,
            path=request.path[:LONGEST_PATH],
            status=response.status_code,
            duration_ms=round(seconds * 1000, 3),
            client=request.META.get("REMOTE_ADDR"),
            **fields,
        )

    def process_got_request_exception(self, sender: type[Any], request: HttpRequest, **kwargs: Any) -> None:
        """Keep an unhandled exception for the request's log line; log that of a probe immediately."""
        exception = sys.exception()
        if EXCEPTION in request.META or exception is None:
            return
        request.META[EXCEPTION] = exception
        if request_context.current().request_id is None:
            log.error("probe.failed", path=request.path_info, exc_info=exception)


class ApiMiddleware:
    """Do for the API's clients without cookies what the middleware for browsers would do: check Host, name headers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._headers = {is_secure: _headers_for_browsers(is_secure=is_secure) for is_secure in (False, True)}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.get_host()  # raises DisallowedHost
        request.META[HEADERS] = self._headers[request.is_secure()]
        response = self._get_response(request)
        if SESSION_READ in request.META:
            patch_vary_headers(response, ["Cookie"])
        return response


def _headers_for_browsers(*, is_secure: bool) -> list[tuple[str, str]]:
    """Return the headers that Django's middleware adds to each answer."""
    scheme = "https" if is_secure else "http"
    request = WSGIRequest({"REQUEST_METHOD": "GET", "wsgi.input": BytesIO(), "wsgi.url_scheme": scheme})
    response: Any = XFrameOptionsMiddleware(SecurityMiddleware(lambda _: HttpResponse()))(request)
    return [(name, value) for name, value in response.items() if name != "Content-Type"]
