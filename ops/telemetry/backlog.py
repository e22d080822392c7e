"""Gauges of waiting work in the database, read during a scrape.

A worker process does not serve /metrics, so the web process reads its lag from the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait

import structlog
from django.db import connections
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ops.background import in_background
from ops.telemetry.metrics import register_collector

log = structlog.get_logger(__name__)

READ_EVERY = 5.0  # seconds, for any number of scrapes
DEADLINE = 1.0  # seconds that a scrape waits for the database


class Backlog(Collector):
    """Report each registered gauge, without a value while it is unreadable; a scrape never fails because of that."""

    def __init__(self) -> None:
        self._reads: dict[str, tuple[str, Callable[[], float]]] = {}
        self._lock = threading.Lock()
        self._reading: Future[dict[str, float]] | None = None
        self._read_again = 0.0
        self._is_readable = True

    def register(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Add a gauge, or replace the one of that name."""
        self._reads[name] = (documentation, read)
        self._read_again = 0.0

    def unregister(self, name: str) -> None:
        """Remove a gauge."""
        del self._reads[name]

    def forget(self) -> None:
        """Discard the values, so that the next scrape reads again."""
        self._read_again = 0.0

    def describe(self) -> Iterable[Metric]:
        """Describe nothing: gauges are added later, and the registry would read them for their names."""
        return []

    def declared(self) -> Iterable[Metric]:
        """Return the gauges without their values, for the reference of metrics."""
        return [GaugeMetricFamily(name, documentation) for name, (documentation, _) in self._reads.items()]

    def collect(self) -> Iterable[Metric]:
        values = self._current()
        for name, (documentation, _) in self._reads.items():
            family = GaugeMetricFamily(name, documentation)
            if name in values:
                family.add_metric([], values[name])
            yield family

    def _current(self) -> dict[str, float]:
        with self._lock:
            if time.monotonic() >= self._read_again and self._reads:
                if self._reading is None or self._reading.done():
                    self._reading = in_background("backlog", self._read)  # which has a connection of its own
                wait([self._reading], DEADLINE)
                self._read_again = time.monotonic() + READ_EVERY
            # No values are better than old ones.
            return self._reading.result() if self._reading is not None and self._reading.done() else {}

    def _read(self) -> dict[str, float]:
        values = {}
        try:
            for name, (_, read) in list(self._reads.items()):
                values[name] = read()
            self._is_readable = True
        except Exception as error:  # noqa: BLE001 - the other metrics must still be served
            if self._is_readable:  # one line, not one for each scrape
                log.warning("backlog.unreadable", gauge=name, reason=type(error).__name__)
            self._is_readable = False
        finally:
            connections.close_all()
        return values


backlog = Backlog()
register_collector(backlog)  # every worker reads the same numbers


def register_backlog(name: str, documentation: str, read: Callable[[], float]) -> None:
    """Add a gauge to /metrics whose value `read` queries; call it from an AppConfig's `ready`."""
    backlog.register(name, documentation, read)
