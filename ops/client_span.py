"""The span of an outbound HTTP request, as OpenTelemetry's instrumentation of `requests` makes it.

That one wraps Session.send, reads the URL three times, looks for robots in the User-Agent, and keeps a histogram that
nobody reads: a tenth of what `POST /orders` takes. It stays for whatever else sends through a session.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from ops.tracing import tracer


@contextmanager
def client_span(method: str, url: str, headers: MutableMapping[str, str]) -> Iterator[Span]:
    """Trace one request, and tell its peer so in `headers`; call `set_answer` with what it answered.

    https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    span = tracer.start_span(
        method,
        kind=SpanKind.CLIENT,
        attributes={
            "http.request.method": method,
            "url.full": url,
            "server.address": host,
            "server.port": port,
            "user_agent.original": headers.get("User-Agent", ""),
        },
    )
    propagate.inject(headers, trace.set_span_in_context(span))
    try:
        yield span
    except Exception as error:
        span.record_exception(error)
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        span.end()


def set_answer(span: Span, status: int) -> None:
    """Say how the request was answered; 4xx and 5xx are errors of the one who asks."""
    if status < 400:
        span.set_attribute("http.response.status_code", status)
    else:
        span.set_attributes({"http.response.status_code": status, "error.type": str(status)})
        span.set_status(StatusCode.ERROR)
