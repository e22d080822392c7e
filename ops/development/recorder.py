"""Give the spans and log lines of this process to the store, from a thread, a few times a second."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from ops.config import role
from ops.config.role import Role
from ops.config.service import ServiceConfig
from ops.development import store

PAUSE = 0.1  # seconds between two writes
ANNOUNCEMENTS = 2.0  # seconds until a service tells again where it answers, as its file may be new
LEFT_OUT = ("/dev", "/favicon.ico")  # and all below /dev/ and /static/: a page brings a dozen of them
LONGEST = 4_000  # characters of a value
MOST_WAITING = 5_000  # spans, and lines; more than a tenth of a second brings


@cache
def recorder(config: ServiceConfig) -> Recorder:
    """Return the recorder of this process."""
    return Recorder(config)


class Recorder(SpanProcessor):
    """Keep what ends here until the thread has written it, and of that only the last."""

    def __init__(self, config: ServiceConfig) -> None:
        self._path = str(config.development_recording)
        self._service, self._port = config.service, config.port
        self._begin()
        os.register_at_fork(after_in_child=self._begin)  # threads do not survive a fork

    def _begin(self) -> None:
        self._spans: deque[ReadableSpan] = deque(maxlen=MOST_WAITING)
        self._lines: deque[Mapping[str, Any]] = deque(maxlen=MOST_WAITING)
        self._stopping = threading.Event()
        self._mutex = threading.Lock()
        self._rows: deque[store.Span] = deque(maxlen=MOST_WAITING)  # those two are of the thread alone
        self._texts: deque[tuple[str, str]] = deque(maxlen=MOST_WAITING)
        self._announce_at = 0.0 if role.current() is Role.WEB else math.inf
        self._thread: threading.Thread | None = None

    def on_end(self, span: ReadableSpan) -> None:
        if not _is_left_out((span.attributes or {}).get("url.path")):
            self._spans.append(span)
            self._wake()

    def on_line(self, _logger: Any, _method: str, event: Any) -> Any:
        """Record a log line and pass it on; a processor of structlog."""
        if not _is_left_out(event.get("path")):
            self._lines.append(dict(event))
            self._wake()
        return event

    def _wake(self) -> None:
        if self._thread is None:
            with self._mutex:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(PAUSE):
            self._write()

    def _write(self) -> None:
        with suppress(Exception):  # a value that cannot be shown costs its batch, not the thread
            try:
                self._rows.extend(_plain_span(self._spans.popleft()) for _ in range(len(self._spans)))
                self._texts.extend(_plain_line(self._lines.popleft()) for _ in range(len(self._lines)))
                if time.monotonic() >= self._announce_at:
                    store.add_service(self._path, self._service, self._port)
                    self._announce_at = time.monotonic() + ANNOUNCEMENTS
                if self._rows or self._texts:
                    store.write(self._path, self._rows, self._texts)
            except (sqlite3.Error, OSError):  # perhaps another process has it locked: the next write tries again
                return
        self._rows.clear()
        self._texts.clear()

    def shutdown(self) -> None:
        """Write what is left."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(1)
            if not self._thread.is_alive():  # else it still waits for the file
                self._write()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def _is_left_out(path: Any) -> bool:
    return path in LEFT_OUT or str(path).startswith(("/dev/", "/static/"))


def _plain_span(span: ReadableSpan) -> store.Span:
    context, status = span.context, span.status
    failed = status.status_code is StatusCode.ERROR
    return store.Span(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        parent_id=format_span_id(span.parent.span_id) if span.parent else "",
        service=str(span.resource.attributes["service.name"]),
        name=span.name,
        kind=span.kind.name.lower(),
        started=span.start_time or 0,
        ended=span.end_time or 0,
        error=_short(status.description or "error") if failed else "",
        attributes=_plain(span.attributes or {}),
        events=[{"name": event.name, "attributes": _plain(event.attributes or {})} for event in span.events],
    )


def _plain_line(event: Mapping[str, Any]) -> tuple[str, str]:
    return str(event.get("trace_id", "")), json.dumps(_plain(event))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value if isinstance(value, int | float) else _short(value) for name, value in values.items()}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
