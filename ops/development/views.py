"""The pages /dev and /dev/traces/…: they show a developer the last requests of all services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ops.development import store
from ops.development.calls import arrows
from ops.development.services import services
from ops.development.waterfall import milliseconds, rows

PAGE = "ops/development.html"
LAST_LINES = 50
LOOPBACK = ("127.", "::1")  # all of ::/96 but this address is reserved
ALREADY_SAID = ("timestamp", "level", "event", "service", "version", "environment", "trace_id", "span_id")


@require_safe
@never_cache
def overview(request: HttpRequest) -> HttpResponseBase:
    """Answer the page, or the trace that is the only one with the wanted id."""
    path, wanted = _recording(request), request.GET.get("search", "").strip()
    found = store.traces_with(path, wanted) if wanted else None
    if found and len(found) == 1:
        return redirect("development_trace", trace_id=found.pop())
    traces = store.traces(path, found)
    lines = [_line(line) for line in store.lines(path, limit=LAST_LINES)]
    page: dict[str, Any] = {"search": wanted, "traces": [_summary(spans) for spans in traces], "lines": lines[::-1]}
    page |= {"services": services(path), "arrows": arrows(path)}
    return _answer(request, page | {"follows": "follow" in request.GET})


@require_safe
@never_cache
def trace(request: HttpRequest, trace_id: str) -> HttpResponse:
    """Answer one trace: its requests, its waterfall and its log lines."""
    spans, lines = store.spans_of(_recording(request), trace_id), store.lines(_recording(request), trace_id=trace_id)
    page: dict[str, Any] = {
        "trace_id": trace_id,
        "rows": rows(spans) if spans else [],
        "lines": [_line(line) for line in lines],
    }
    requests = [line for line in lines if line["event"] == "request.finished"]
    page |= {"summary": _summary(spans) if spans else None, "requests": requests}
    return _answer(request, page, status=200 if spans or lines else 404)


def _answer(request: HttpRequest, page: dict[str, Any], status: int = 200) -> HttpResponse:
    host = request.get_host().rpartition(":")[0] or request.get_host()
    own = {
        "paths": ("docs", "admin/", "metrics"),
        "title": settings.SPECTACULAR_SETTINGS["TITLE"],
        "host": host,
        "links": settings.CONFIG.development_links,
    }
    return render(request, PAGE, page | own, status=status)


def _recording(request: HttpRequest) -> str:
    """Return the path of the recording, which holds other clients' requests: for a client of this machine alone."""
    is_passed_on = any(name in request.META for name in ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED"))
    if is_passed_on or not request.META["REMOTE_ADDR"].startswith(LOOPBACK):
        raise Http404
    return str(settings.CONFIG.development_recording)


def _summary(spans: Sequence[store.Span]) -> dict[str, Any]:
    first = spans[0]
    return {
        "trace_id": first.trace_id,
        "name": first.name,
        "time": datetime.fromtimestamp(first.started / 1e9, UTC).strftime("%H:%M:%S"),
        "services": sorted({span.service for span in spans}),
        "milliseconds": milliseconds(max(span.ended for span in spans) - first.started),
        "spans": len(spans),
        "failed": any(span.error for span in spans),
    }


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """Return a log line as the page shows it: the fields that every line has, then the others."""
    others = {name: value for name, value in line.items() if name not in ALREADY_SAID}
    return {**line, "time": line["timestamp"][11:23], "exception": others.pop("exception", ""), "others": others}
