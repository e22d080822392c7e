"""The base of commands that go on until a signal: a heartbeat, pauses that a signal ends, and their own /metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, Counter, start_http_server

from ops.cli.command import OpsCommand
from ops.cli.heartbeat import heartbeat_file

log = structlog.get_logger(__name__)

BEAT_EVERY = 5.0  # seconds


class LoopCommand(OpsCommand):
    """Do one unit of work after the other until `stopping`; with --once, until no work is left.

    manage.py names it among the workers: the waits for its database are as short as those of a request.
    """

    counters: Sequence[Counter] = ()  # shown by its /metrics beside those of every process
    _next_beat = 0.0
    _beats = True  # until it fails: a warning each time would say the same

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:  # it ends before a health check or a scrape
            self._beats = False
            super().handle(*args, **options)
            return
        with serving_metrics(settings.CONFIG.worker_metrics_port, self.counters):
            super().handle(*args, **options)

    def beat(self) -> None:
        """Touch the file of the health check, at most every BEAT_EVERY seconds."""
        if not self._beats or time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + BEAT_EVERY
        try:
            heartbeat_file().touch()
        except OSError as error:
            self._beats = False
            log.warning("loop.heartbeat_failed", reason=str(error))

    def is_to_stop(self) -> bool:
        """Tell whether a signal came, and beat: to be asked again and again during a long unit of work."""
        self.beat()
        return self.stopping


@contextmanager
def serving_metrics(port: int | None, counters: Sequence[Counter]) -> Iterator[None]:
    """Serve /metrics at the port, if any; a port that is in use costs a warning, not the loop."""
    if port is None:
        yield
        return
    registry = CollectorRegistry()
    for collector in (REGISTRY, *counters):
        registry.register(collector)  # type: ignore[arg-type] # a registry collects as a collector does
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        log.warning("loop.metrics_not_served", port=port, reason=error.strerror)
        yield
        return
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
