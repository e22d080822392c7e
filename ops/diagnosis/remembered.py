"""Ask a probe again and again, as /readyz and a scrape do, at the cost of asking it once in a while."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import structlog
from django.conf import settings
from django.core.checks import ERROR

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
        self._finished = threading.Event()
        self._finished.set()
        self._found = ""
        self._result = OK
        self._announced = OK
        self._expires = 0.0

    def result(self, *, announce: bool = True) -> str:
        """Return `ok`, or why not, by the deadline; log a change unless told not to."""
        with self._lock:
            if time.monotonic() >= self._expires and not (self._stays and self._found == OK):
                self._result = self._ask()
                self._expires = time.monotonic() + self._cached_for
            if announce and self._announced != self._result:
                self._announced = self._result
                log.warning("health.probe_changed", probe=self.name, verdict=self._result)
            return self._result

    def _ask(self) -> str:
        if self._finished.is_set():
            self._finished.clear()
            # In a thread, as a socket call cannot be cancelled; a daemon, so that it never delays the exit.
            threading.Thread(target=self._work, name=f"probe-{self.name}", daemon=True).start()
        if not self._finished.wait(self._deadline):
            return f"no answer within {self._deadline:g} s"
        return self._found

    def _work(self) -> None:
        try:
            failures = [message.msg for message in answer(self._probe, settings.CONFIG) if message.level >= ERROR]
            self._found = "; ".join(failures) or OK
        except Exception as error:  # noqa: BLE001 - whatever a probe raises means that it failed
            self._found = f"failed: {type(error).__name__}"
        finally:
            self._finished.set()
