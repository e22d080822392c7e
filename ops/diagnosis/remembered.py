"""Ask a probe again and again, as /readyz and a scrape do, at the cost of asking it once in a while."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, wait
from datetime import timedelta
from functools import partial

import structlog
from django.conf import settings
from django.core.checks import ERROR, CheckMessage

from ops.background import in_background
from ops.diagnosis.probe import Probe, answer

log = structlog.get_logger(__name__)

OK = "ok"
DEADLINE = timedelta(seconds=1)
CACHED_FOR = timedelta(seconds=1)


class RememberedProbe:
    """Run a probe within a deadline, remember its result for a moment, and never run it twice at once.

    With `stays`, it is not asked again once it has passed. The result is shown to every caller, so that it holds no
    text of an exception, which may hold a secret.
    """

    def __init__(
        self,
        name: str,
        probe: Probe,
        *,
        deadline: timedelta = DEADLINE,
        cached_for: timedelta = CACHED_FOR,
        stays: bool = False,
    ) -> None:
        self.name = name
        self._probe = probe
        self._deadline = deadline.total_seconds()
        self._cached_for = cached_for.total_seconds()
        self._stays = stays
        self._lock = threading.Lock()
        self._asked: Future[list[CheckMessage]] | None = None
        self._result = ""
        self._announced = OK
        self._expires = 0.0

    def result(self, *, announce: bool = True) -> str:
        """Return `ok`, or why not, by the deadline; log a change unless told not to."""
        with self._lock:
            if time.monotonic() >= self._expires and not (self._stays and self._result == OK):
                self._result = self._ask()
                self._expires = time.monotonic() + self._cached_for
            if announce and self._announced != self._result:
                self._announced = self._result
                log.warning("health.probe_changed", probe=self.name, verdict=self._result)
            return self._result

    def _ask(self) -> str:
        if self._asked is None or self._asked.done():
            self._asked = in_background(f"probe-{self.name}", partial(answer, self._probe, settings.CONFIG))
        wait([self._asked], self._deadline)
        if not self._asked.done():
            return f"no answer within {self._deadline:g} s"
        if (error := self._asked.exception()) is not None:
            return f"failed: {type(error).__name__}"
        return "; ".join(message.msg for message in self._asked.result() if message.level >= ERROR) or OK
