"""The server span of a request, and the trace that its client asks to continue."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from opentelemetry import context, propagate, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, StatusCode

from ops.telemetry import tracing
from ops.telemetry.metrics import UNMATCHED, method_label, route_of
from ops.telemetry.request_context import EXCEPTION

# https://www.w3.org/TR/trace-context/#list
MEMBER = re.compile(
    r"([a-z][_0-9a-z\-*/]{0,255}|[a-z0-9][_0-9a-z\-*/]{0,240}@[a-z][_0-9a-z\-*/]{0,13})"
    r"=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])"
)
MOST_MEMBERS = 32


class HeaderGetter(Getter[dict[str, Any]]):
    """Read a header from request.META."""

    def get(self, carrier: dict[str, Any], key: str) -> list[str] | None:
        value = carrier.get(f"HTTP_{key.upper().replace('-', '_')}")
        if value is None:
            return None
        return [well_formed_members(value)] if key == "tracestate" else [value]

    def keys(self, carrier: dict[str, Any]) -> list[str]:
        return [key[5:].replace("_", "-").lower() for key in carrier if key.startswith("HTTP_")]


def well_formed_members(tracestate: str) -> str:
    """Return the members that can be read, the first of each name: the library drops all of them for a bad one."""
    members: dict[str, str] = {}
    for text in tracestate.split(","):
        if member := MEMBER.fullmatch(text.strip(" \t")):
            members.setdefault(member[1], member[2])
    return ",".join(f"{name}={value}" for name, value in list(members.items())[:MOST_MEMBERS])


HEADERS = HeaderGetter()


class ServerSpanMiddleware:
    """Start the server span with the stable attributes of HTTP, and end it with route and status.

    https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span

    It stands behind RequestMiddleware, which answers the probes: these are never traced. Without tracing, and where
    OpenTelemetry's own middleware traces, Django leaves it out.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if tracing.is_stock or not tracing.is_configured(settings.CONFIG):
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        attributes = _attributes(request)  # raises DisallowedHost before there is a span
        parent = propagate.extract(request.META, getter=HEADERS)
        span = tracing.tracer.start_span(
            str(attributes["http.request.method"]), parent, kind=SpanKind.SERVER, attributes=attributes
        )
        token = context.attach(trace.set_span_in_context(span, parent))
        tracing.bind_trace(span)
        try:
            response = self.get_response(request)
            if span.is_recording():
                _finish(span, request, response)
        finally:
            context.detach(token)
            span.end()
        return response


_domain_and_port = lru_cache(256)(split_domain_port)


def _attributes(request: HttpRequest) -> dict[str, str | int]:
    meta = request.META
    host, port = _domain_and_port(request.get_host())
    method = method_label(request.method)
    attributes: dict[str, str | int] = {
        "http.request.method": "_OTHER" if method == "other" else method,
        "url.scheme": meta.get("wsgi.url_scheme", "http"),
        "url.path": request.path,
        "server.address": host,
        "client.address": meta.get("REMOTE_ADDR", ""),
        "network.protocol.version": meta.get("SERVER_PROTOCOL", "HTTP/1.1")[5:],
    }
    if port:
        attributes["server.port"] = int(port)
    # The span only says that these are there, as a client may have put a secret into them.
    if meta.get("QUERY_STRING"):
        attributes["url.query"] = tracing.REDACTED
    if meta.get("HTTP_USER_AGENT"):
        attributes["user_agent.original"] = tracing.REDACTED
    return attributes


def _finish(span: Span, request: HttpRequest, response: HttpResponse) -> None:
    route = route_of(request)
    span.update_name(f"{method_label(request.method)} {route}")
    found: dict[str, str | int] = {"http.response.status_code": response.status_code}
    if route != UNMATCHED:
        found["http.route"] = route
    if error := request.META.get(EXCEPTION):
        span.record_exception(error)
        found["error.type"] = type(error).__qualname__
    span.set_attributes(found)
    if response.status_code >= 500:
        span.set_status(StatusCode.ERROR)
