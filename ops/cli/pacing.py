"""Pauses between two units of work that do not keep a signal waiting."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_EVERY = 0.1  # seconds: a signal's handler only sets a flag, and Python then goes on sleeping


def pause_until(moment: float, stopping: Callable[[], bool]) -> None:
    """Sleep until that moment of the monotonic clock, or until asked to stop."""
    while not stopping() and (left := moment - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_EVERY))
