"""A retry budget: it keeps the retries of a client from multiplying the load on a peer that is failing."""

from __future__ import annotations

import threading


class RetryBudget:
    """Allow retries up to `ratio` of the calls, plus one: each call earns `ratio` of a retry, at most ten."""

    CAPACITY = 10.0

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._tokens = 1.0
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Count one call."""
        with self._lock:
            self._tokens = min(self.CAPACITY, self._tokens + self._ratio)

    def spend(self) -> bool:
        """Take one retry from the budget; return false if it is empty."""
        with self._lock:
            # Ten times 0.1 is a little less than 1 in floating point.
            if self._tokens < 1.0 - 1e-9:
                return False
            self._tokens -= 1.0
            return True
