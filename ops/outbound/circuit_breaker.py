"""A circuit breaker: it keeps a client from waiting for a peer that is down, and from adding to its load."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

import structlog

from ops.telemetry import metrics

log = structlog.get_logger(__name__)

Clock = Callable[[], float]
BUCKETS = 10


class State(IntEnum):
    """The state of the breaker, the value of circuit_breaker_state."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class BreakerOpen(Exception):
    """The breaker refuses the call; `retry_after` says when it allows the next one."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(f"circuit open for another {retry_after.total_seconds():.1f} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Permit:
    """The permit for one call; its result counts only in the breaker's current period."""

    period: int


@dataclass
class _Bucket:
    started: float
    calls: int = 0
    failures: int = 0


class CircuitBreaker:
    """Open at `failure_ratio` of at least `min_calls` calls within `window`; after `open_for` allow one trial.

    Counts are kept in tenths of the window, so memory does not grow with the traffic. The lock protects only the state
    and is never held during a call.
    """

    def __init__(
        self,
        peer: str,
        *,
        failure_ratio: float,
        min_calls: int,
        window: timedelta,
        open_for: timedelta,
        clock: Clock = time.monotonic,
    ) -> None:
        self.peer = peer
        self._failure_ratio = failure_ratio
        self._min_calls = min_calls
        self._window = window.total_seconds()
        self._open_for = open_for.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: deque[_Bucket] = deque()
        self._period = 0
        self._opened = 0.0
        self.state = State.CLOSED
        metrics.circuit_breaker_state.labels(peer).set(State.CLOSED)

    def acquire(self) -> Permit:
        """Return the permit for one call; the caller passes it to `record` afterwards. Raise BreakerOpen."""
        with self._lock:
            if self.state is State.HALF_OPEN:
                raise BreakerOpen(timedelta(seconds=1))
            if self.state is State.OPEN:
                left = self._opened + self._open_for - self._clock()
                if left > 0:
                    raise BreakerOpen(timedelta(seconds=left))
                self._enter(State.HALF_OPEN)
            return Permit(self._period)

    def record(self, permit: Permit, *, failed: bool) -> None:
        """Count the result of a call; ignore a call from an earlier period."""
        with self._lock:
            if permit.period != self._period:
                return
            if self.state is State.HALF_OPEN:
                self._enter(State.OPEN if failed else State.CLOSED)
                return
            bucket = self._current_bucket()
            bucket.calls += 1
            bucket.failures += failed
            calls = sum(b.calls for b in self._buckets)
            failures = sum(b.failures for b in self._buckets)
            if calls >= self._min_calls and failures / calls >= self._failure_ratio:
                self._enter(State.OPEN)

    def _current_bucket(self) -> _Bucket:
        now = self._clock()
        while self._buckets and self._buckets[0].started <= now - self._window:
            self._buckets.popleft()
        if not self._buckets or self._buckets[-1].started <= now - self._window / BUCKETS:
            self._buckets.append(_Bucket(now))
        return self._buckets[-1]

    def _enter(self, state: State) -> None:
        self.state = state
        self._period += 1
        self._buckets.clear()
        if state is State.OPEN:
            self._opened = self._clock()
        metrics.circuit_breaker_state.labels(self.peer).set(state)
        log.warning("circuit_breaker.changed", peer=self.peer, state=state.name.lower())
