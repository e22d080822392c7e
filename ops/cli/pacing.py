"""Pauses between two units of work, which a signal ends."""

from __future__ import annotations

import time
from collections.abc import Callable

CHECK_EVERY = 0.1  # seconds: a signal handler only sets a flag, and Python continues to sleep


def pause_until(moment: float, stopping: Callable[[], bool]) -> None:
    """Sleep until that moment of the monotonic clock, or until asked to stop."""
    while not stopping() and (rest := moment - time.monotonic()) > 0:
        time.sleep(min(rest, CHECK_EVERY))
