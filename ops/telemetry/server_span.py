"""The server span of a request, by OpenTelemetry's middleware without what Argos has no use for.

The library resolves the URL a second time, builds the absolute URI three times, keeps metrics that nobody reads, and
sets each attribute twice: more than half of the span's cost. Its class is subclassed so that its instrumentor, its
tracer and its place among the middlewares stay.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from opentelemetry import context, propagate, trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.django.middleware.otel_middleware import _DjangoMiddleware
from opentelemetry.instrumentation.wsgi import wsgi_getter
from opentelemetry.trace import SpanKind, StatusCode

from ops.telemetry.metrics import UNMATCHED, method_label, route_of
from ops.telemetry.tracing import REDACTED, bind_trace

EXCEPTION = "argos.span_exception"  # a key of request.META


class ServerSpanMiddleware(_DjangoMiddleware):
    """Start the server span with the stable attributes of HTTP, and end it with route and status.

    https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        host, port = split_domain_port(request.get_host())  # raises DisallowedHost before there is a span
        method = method_label(request.method)
        attributes: dict[str, Any] = {
            "http.request.method": "_OTHER" if method == "other" else method,
            "url.scheme": meta.get("wsgi.url_scheme", "http"),
            "url.path": request.path,
            "server.address": host,
            "client.address": meta.get("REMOTE_ADDR", ""),
            "network.protocol.version": meta.get("SERVER_PROTOCOL", "HTTP/1.1")[5:],
        }
        if port:
            attributes["server.port"] = int(port)
        # What a client may have put a secret into is said to be there, no more.
        if meta.get("QUERY_STRING"):
            attributes["url.query"] = REDACTED
        if meta.get("HTTP_USER_AGENT"):
            attributes["user_agent.original"] = REDACTED
        parent = propagate.extract(meta, getter=wsgi_getter)
        tracer: Any = self._tracer  # set by the instrumentor
        span = tracer.start_span(method, parent, kind=SpanKind.SERVER, attributes=attributes)
        token = context.attach(trace.set_span_in_context(span, parent))
        bind_trace(span)
        try:
            response: HttpResponse = self.get_response(request)
            self._finish(span, request, response)
        finally:
            context.detach(token)
            span.end()
        return response

    def _finish(self, span: trace.Span, request: HttpRequest, response: HttpResponse) -> None:
        if not span.is_recording():
            return
        route = route_of(request)
        span.update_name(f"{method_label(request.method)} {route}")
        found: dict[str, Any] = {"http.response.status_code": response.status_code}
        if route != UNMATCHED:
            found["http.route"] = route
        if error := request.META.get(EXCEPTION):
            span.record_exception(error)
            found["error.type"] = type(error).__qualname__
        span.set_attributes(found)
        if response.status_code >= 500:
            span.set_status(StatusCode.ERROR)

    def process_view(self, request: HttpRequest, view_func: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the route is read once, at the end."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        request.META[EXCEPTION] = exception


class ServerSpanInstrumentor(DjangoInstrumentor):
    """Insert that middleware in place of the library's."""

    _opentelemetry_middleware = f"{ServerSpanMiddleware.__module__}.{ServerSpanMiddleware.__qualname__}"
