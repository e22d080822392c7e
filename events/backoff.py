"""How long to wait before something is tried again."""

from __future__ import annotations

import random

FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0  # seconds, for one event
LONGEST_PAUSE = 30.0  # seconds, while the other side or the database is away


def retry_in(setbacks: int, *, longest: float = LONGEST_RETRY) -> float:
    """Return a pause by chance (full jitter), up to one that doubles with each setback before."""
    return random.uniform(0, min(longest, FIRST_RETRY * 2 ** min(setbacks, 30)))  # noqa: S311 - jitter, not a secret
