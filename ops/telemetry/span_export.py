"""The way of a span to the collector: a bounded queue, then OTLP over HTTP, by the SDK's public interfaces."""

from __future__ import annotations

import gzip
import os
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests
import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.util.re import parse_env_headers

from ops.telemetry.otel_environment import BATCH, EXPORT_TIMEOUT, QUEUE, batch_size, option, queue_size
from ops.telemetry.span_encoding import encode_request

log = structlog.get_logger(__name__)

SHUTDOWN_TIMEOUT = 0.5  # seconds to send what is left; gunicorn may have waited 2 s for idle connections before
DELAY = 5000  # milliseconds between two batches that are not full
FAILURE_EVERY = 60.0  # seconds between two log lines while batches are lost
TRANSIENT = (429, 502, 503, 504)  # https://opentelemetry.io/docs/specs/otlp/#failures-1
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


def count_dropped(spans: int) -> None:
    """Count spans that are lost."""
    from ops.telemetry import metrics  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

    metrics.telemetry_spans_dropped_total.inc(spans)


@dataclass(frozen=True)
class Collector:
    """Where spans go, and how; the standard variables say it.

    https://opentelemetry.io/docs/specs/otel/protocol/exporter/
    """

    endpoint: str
    timeout: float = EXPORT_TIMEOUT
    headers: Mapping[str, str] = field(default_factory=dict)
    compression: str | None = None
    authorities: str | None = None
    certificate: str | None = None
    key: str | None = None

    @classmethod
    def from_environment(cls, endpoint: str) -> Collector:
        return cls(
            endpoint,
            timeout=float(option("TIMEOUT") or EXPORT_TIMEOUT),
            headers=parse_env_headers(option("HEADERS") or "", liberal=True),
            compression=option("COMPRESSION"),
            authorities=option("CERTIFICATE"),
            certificate=option("CLIENT_CERTIFICATE"),
            key=option("CLIENT_KEY"),
        )


class OtlpExporter(SpanExporter):
    """Post batches to a collector; count those that it did not take, and say so once a minute."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self._compress = COMPRESSORS.get(collector.compression or "")
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy or a .netrc of this machine is not the collector's
        self._session.headers.update({"Content-Type": "application/x-protobuf"})
        if self._compress:
            self._session.headers["Content-Encoding"] = str(collector.compression)
        self._session.headers.update(collector.headers)
        self._session.verify = collector.authorities or True
        if collector.certificate:
            self._session.cert = (collector.certificate, collector.key) if collector.key else collector.certificate
        self._stopping = threading.Event()
        self._next_line = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        body = encode_request(spans)
        failure = self._send(self._compress(body) if self._compress else body)
        if failure is None:
            return SpanExportResult.SUCCESS
        count_dropped(len(spans))
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + FAILURE_EVERY
            log.error("telemetry.export_failed", collector=self.collector.endpoint, reason=failure, spans=len(spans))
        return SpanExportResult.FAILURE

    def _send(self, body: bytes) -> str | None:
        """Post a batch until the timeout; return why it was not taken."""
        deadline = time.monotonic() + self.collector.timeout
        pause = 0.0  # at first; a connection that was kept may just have been closed
        while True:
            failure, is_transient = self._try(body, max(deadline - time.monotonic(), 0.001))
            if failure is None or not is_transient or time.monotonic() + pause >= deadline:
                return failure
            if self._stopping.wait(pause):
                return failure
            pause = 2 * pause or 1.0

    def _try(self, body: bytes, timeout: float) -> tuple[str | None, bool]:
        try:
            status = self.post(body, timeout)
        except requests.RequestException as error:
            return type(error).__name__, isinstance(error, requests.ConnectionError)
        if status < 400:
            return None, False
        return f"answered {status}", status in TRANSIENT

    def post(self, body: bytes, timeout: float) -> int:
        """Send a message once and return the status; raise RequestException."""
        return self._session.post(self.collector.endpoint, body, timeout=timeout, allow_redirects=False).status_code

    def shutdown(self) -> None:
        self._stopping.set()
        self._session.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class QueueProcessor(SpanProcessor):
    """Send ended spans in batches from a thread; a full queue loses its oldest span, and counts it."""

    def __init__(
        self, exporter: SpanExporter, *, queue_size: int = QUEUE, batch: int = BATCH, delay: float = DELAY / 1000
    ) -> None:
        self.exporter = exporter
        self._queue_size = queue_size
        self._batch = batch
        self._delay = delay
        self._begin()
        os.register_at_fork(after_in_child=self._begin)  # threads do not survive a fork

    @classmethod
    def from_environment(cls, exporter: SpanExporter) -> QueueProcessor:
        """Return a processor as the standard variables (OTEL_BSP_*) want it."""
        return cls(
            exporter,
            queue_size=queue_size(),
            batch=batch_size(),
            delay=float(os.environ.get("OTEL_BSP_SCHEDULE_DELAY") or DELAY) / 1000,
        )

    def _begin(self) -> None:
        self._queue: deque[Any] = deque()
        self._wake = threading.Event()
        self._sending = threading.Lock()
        self._stopping = self._expired = False
        self._thread: threading.Thread | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        if not span.context.trace_flags.sampled or self._stopping:
            return
        if len(self._queue) >= self._queue_size:
            self._queue.popleft()
            count_dropped(1)
        self._queue.append(span)
        if len(self._queue) >= self._batch:
            self._wake.set()
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._sending:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="span-export", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping:
            is_full = self._wake.wait(self._delay)
            self._wake.clear()
            self._send(at_least=self._batch if is_full and not self._stopping else 1)
        self._send(at_least=1)

    def _send(self, *, at_least: int) -> None:
        with self._sending:
            while len(self._queue) >= at_least and not self._expired:
                self._export(self._taken())

    def _taken(self) -> list[Any]:
        batch: list[Any] = []
        with suppress(IndexError):  # a full queue loses spans from the same end meanwhile
            while len(batch) < self._batch:
                batch.append(self._queue.popleft())
        return batch

    def _export(self, batch: list[Any]) -> None:
        try:
            self.exporter.export(batch)
        except Exception as error:  # noqa: BLE001 - one bad batch must not end the thread
            count_dropped(len(batch))
            log.error("telemetry.export_failed", reason=type(error).__name__, spans=len(batch))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self._send(at_least=1)
        return True

    def shutdown(self) -> None:
        """Send what is left within SHUTDOWN_TIMEOUT."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(SHUTDOWN_TIMEOUT)
        self._expired = True
        self.exporter.shutdown()
