"""One pass over each request: probes, request id, one log line and one latency observation."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware as StructlogRequestMiddleware

from ops.api.problems import problem_response
from ops.server import health, scrape_gauges  # noqa: F401 - the second one is for /metrics
from ops.telemetry import metrics, request_context
from ops.telemetry.request_context import EXCEPTION

log = structlog.get_logger("ops.request")

WELL_FORMED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}", re.ASCII)
LONGEST_PATH = 512
ARRIVED_AT = (
    "argos.arrived_at"  # a key of request.META: time.monotonic() of the complete request, from a server that knows it
)

PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": health.healthz,
    "/readyz": health.readyz,
    "/metrics": metrics.metrics,
}


def _with_length(response: HttpResponse) -> HttpResponse:
    """Set the Content-Length of an answer that bypassed CommonMiddleware; a server would send it in chunks."""
    if not response.streaming and "Content-Length" not in response:
        response["Content-Length"] = str(len(response.content))
    return response


class RequestMiddleware(StructlogRequestMiddleware):
    """Answer probes for any Host before anything else; log and measure every other request once.

    The library's class logs a request twice, with its query string, and either trusts or ignores X-Request-ID.
    `prepare`, `handle_response` and `_process_exception` are its extension points.
    """

    sync_capable = True
    async_capable = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if probe := PROBES.get(request.path_info):
            request_context.clear()
            return _with_length(self._answer_probe(request, probe))
        self.prepare(request)
        response: HttpResponse = self.get_response(request)  # type: ignore[assignment] # never async, as said above
        self.handle_response(request, response)
        return _with_length(response)

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
        context = request_context.current()
        seconds = time.monotonic() - (context.arrived_at or 0)
        route = metrics.route_of(request)
        error = request.META.get(EXCEPTION)
        fields: dict[str, Any] = {"exc_info": error} if error is not None else {}
        log.log(
            self._log_level_for_status_code(response.status_code),
            "request.finished",
            method=request.method,
            route=route,
            path=request.path[:LONGEST_PATH],
            status=response.status_code,
            duration_ms=round(seconds * 1000, 3),
            client=request.META.get("REMOTE_ADDR"),
            **fields,
        )
        metrics.observe_request(request.method or "", route, response.status_code, seconds, context.trace_id)
        response["X-Request-ID"] = context.request_id or ""

    def _process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Keep an unhandled exception for the request's log line; log that of a probe immediately."""
        if EXCEPTION in request.META:
            return
        request.META[EXCEPTION] = exception
        if request_context.current().request_id is None:
            log.error("probe.failed", path=request.path_info, exc_info=exception)
