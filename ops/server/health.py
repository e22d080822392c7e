"""/healthz: the process answers. /readyz: its dependencies answer too."""

from __future__ import annotations

import mmap
from datetime import timedelta

from django.core.checks import CheckMessage
from django.http import HttpRequest, HttpResponse, JsonResponse

from ops.api.problems import CONTENT_TYPE, problem
from ops.config.service import ServiceConfig
from ops.diagnosis.probe import Probe, failure
from ops.diagnosis.registry import MIGRATED, REACHABLE
from ops.diagnosis.remembered import OK, RememberedProbe
from ops.turns import waiting

# One byte shared by the gunicorn master and its workers: 1 after the master was told to stop.
_draining = mmap.mmap(-1, 1)


def is_draining() -> bool:
    """Return whether a shutdown was requested."""
    return _draining[0] == 1


def start_draining() -> None:
    """Make /readyz answer 503 from now on, in this process and its forks."""
    _draining[0] = 1


def _ask_shutdown(_config: ServiceConfig) -> list[CheckMessage]:
    """Fail after a shutdown was requested, so that the load balancer removes this replica before the drain."""
    return [failure("shutting down", "")] if is_draining() else []


SHUTDOWN = Probe("process.stopping", _ask_shutdown, "")
PROBES = (
    RememberedProbe("shutdown", SHUTDOWN, cached_for=timedelta(0)),
    RememberedProbe("database", REACHABLE),
    RememberedProbe("migrations", MIGRATED, stays=True),
)


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 `OK` without I/O."""
    return HttpResponse("OK", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 with each probe's result, or 503 as a problem with the same member `probes`."""
    with waiting:
        results = {probe.name: probe.result() for probe in PROBES}
    failing = [name for name, result in results.items() if result != OK]
    if failing:
        body = problem(503, "not_ready", f"Not ready: {', '.join(failing)}.") | {"probes": results}
        return JsonResponse(body, status=503, content_type=CONTENT_TYPE, headers={"Retry-After": "1"})
    return JsonResponse({"status": "ready", "probes": results})
