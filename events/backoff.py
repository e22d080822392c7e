"""Pauses before a retry."""

from __future__ import annotations

import random

FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0  # seconds, for one event
LONGEST_PAUSE = 30.0  # seconds, while the receiver or the database is unavailable


def retry_in(failures: int, *, longest: float = LONGEST_RETRY) -> float:
    """Return a random pause (full jitter); its maximum doubles with each earlier failure."""
    return random.uniform(0, min(longest, FIRST_RETRY * 2 ** min(failures, 30)))  # noqa: S311 - jitter, not a secret
