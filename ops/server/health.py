"""/healthz: the process answers. /readyz: what it cannot serve without answers too."""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from ops.api.problems import CONTENT_TYPE, problem

log = structlog.get_logger(__name__)

OK = "ok"
PROBE_DEADLINE = timedelta(seconds=1)
CACHED_FOR = timedelta(seconds=1)

# One byte that the gunicorn master and its forked workers share: 1 once the master was told to stop.
_draining = mmap.mmap(-1, 1)


class NotReady(Exception):
    """A probe found that the service cannot serve; its text is shown to whoever asks, so it holds no secret."""


def is_draining() -> bool:
    """Tell whether a shutdown was asked for."""
    return _draining[0] == 1


def start_draining() -> None:
    """Let /readyz answer 503 from now on, in this process and in its forks."""
    _draining[0] = 1


def probe_shutdown() -> None:
    """Fail once a shutdown was asked for, so that the load balancer turns elsewhere before the drain."""
    if is_draining():
        raise NotReady("shutting down")


def probe_database() -> None:
    """Ask the database for one row."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")


_migrated = threading.Event()


def probe_migrations() -> None:
    """Refuse to serve on a schema that lacks this release's migrations; once seen, they stay."""
    if _migrated.is_set():
        return
    executor = MigrationExecutor(connections["default"])
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        raise NotReady(f"{len(pending)} migrations are not applied")
    _migrated.set()


class Probe:
    """Run one probe within a deadline, remember its verdict for a moment, and never run it twice at once."""

    def __init__(
        self,
        name: str,
        run: Callable[[], None],
        *,
        deadline: timedelta = PROBE_DEADLINE,
        cached_for: timedelta = CACHED_FOR,
    ) -> None:
        self.name = name
        self._run = run
        self._deadline = deadline.total_seconds()
        self._cached_for = cached_for.total_seconds()
        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._finished.set()
        self._found = OK
        self._verdict = OK
        self._announced = OK
        self._expires = 0.0

    def verdict(self, *, announce: bool = True) -> str:
        """Return `ok`, or why not, after the deadline at the latest; log a change unless told not to."""
        with self._lock:
            if time.monotonic() >= self._expires:
                self._verdict = self._check()
                self._expires = time.monotonic() + self._cached_for
            if announce and self._announced != self._verdict:
                self._announced = self._verdict
                log.warning("health.probe_changed", probe=self.name, verdict=self._verdict)
            return self._verdict

    def _check(self) -> str:
        if self._finished.is_set():
            self._finished.clear()
            # A thread of its own, as a socket call cannot be called off; daemon, so that it never delays the exit.
            threading.Thread(target=self._work, name=f"probe-{self.name}", daemon=True).start()
        if not self._finished.wait(self._deadline):
            return f"no answer within {self._deadline:g} s"
        return self._found

    def _work(self) -> None:
        try:
            self._run()
            self._found = OK
        except NotReady as reason:
            self._found = str(reason)
        except Exception as error:  # noqa: BLE001 - whatever a probe raises means that it failed
            self._found = f"failed: {type(error).__name__}"
        finally:
            connections.close_all()
            self._finished.set()


PROBES = (
    Probe("shutdown", probe_shutdown, cached_for=timedelta(0)),
    Probe("database", probe_database),
    Probe("migrations", probe_migrations),
)


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 `OK` without any I/O."""
    return HttpResponse("OK", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 with each probe's verdict, or 503 as a problem with the same member `probes`."""
    verdicts = {probe.name: probe.verdict() for probe in PROBES}
    failing = [name for name, verdict in verdicts.items() if verdict != OK]
    if failing:
        body = problem(503, "not_ready", f"Not ready: {', '.join(failing)}.") | {"probes": verdicts}
        return JsonResponse(body, status=503, content_type=CONTENT_TYPE, headers={"Retry-After": "1"})
    return JsonResponse({"status": "ready", "probes": verdicts})
