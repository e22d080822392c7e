"""Answer a request that the application never sees: a problem document, one log line, one count."""

from __future__ import annotations

import json
import logging
import time
from contextlib import suppress

import structlog
from django.urls import Resolver404, resolve

from ops.api.problems import CONTENT_TYPE, problem, reason_phrase
from ops.server.answer import date_line
from ops.server.errors import ApplicationFailed, QueueTimeout, Refusal
from ops.server.http1 import Environ
from ops.telemetry import request_context
from ops.telemetry.request_context import WELL_FORMED_ID

log = structlog.get_logger(__name__)

RETRY_AFTER = "Retry-After: 1\r\n"


def explain(refusal: Refusal, environ: Environ, *, keep_alive: bool) -> bytes:
    """Log and count the refusal, and return the whole answer; neither repeats what was sent."""
    from ops.telemetry import metrics  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

    given = environ.get("HTTP_X_REQUEST_ID", "")
    context = request_context.begin(given if WELL_FORMED_ID.fullmatch(given) else None)
    method = environ.get("REQUEST_METHOD")
    is_ours = isinstance(refusal, ApplicationFailed)
    log.log(
        logging.ERROR if is_ours else logging.WARNING,
        "request.refused",
        status=refusal.status,
        code=refusal.code,
        error=str(refusal),
        client=environ.get("REMOTE_ADDR"),
        **({"exc_info": refusal.__cause__} if is_ours else {}),
    )
    route = metrics.UNMATCHED
    if isinstance(refusal, QueueTimeout | ApplicationFailed):  # a failure of this route, which its objective counts
        with suppress(Resolver404):
            route = f"/{resolve(environ['PATH_INFO']).route}"
    metrics.http_requests_total.labels(metrics.method_label(method), route, refusal.status).inc()
    body = json.dumps(problem(refusal.status, refusal.code, refusal.detail)).encode()
    head = (
        f"HTTP/1.1 {refusal.status} {reason_phrase(refusal.status)}\r\n{date_line(int(time.time()))}"
        f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\nX-Request-ID: {context.request_id}\r\n"
        f"{RETRY_AFTER if isinstance(refusal, QueueTimeout) else ''}"
        f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)
