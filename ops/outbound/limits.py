"""The limits of one exchange with a peer: its deadline and the number of bytes that it may receive."""

from __future__ import annotations

import time


class Limits:
    """Bound one exchange as a whole.

    A timeout of a socket bounds one wait only: a peer that sends one byte a second never exceeds it.
    """

    def __init__(self, *, connect_timeout: float, seconds: float, max_bytes: int) -> None:
        self._deadline = time.monotonic() + seconds
        self._connect_timeout = connect_timeout
        self._bytes_left = max_bytes

    def seconds_left(self) -> float:
        """Return how long the exchange may still take; raise TimeoutError."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the exchange took longer than its deadline")
        return left

    def connect_seconds(self) -> float:
        """Return how long one attempt to connect may take; raise TimeoutError."""
        return min(self._connect_timeout, self.seconds_left())

    def count(self, received: int) -> None:
        """Count received bytes; raise OSError past the limit."""
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise OSError("the answer is longer than its limit")
