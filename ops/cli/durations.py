"""Durations as operators write them."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta

DURATION = re.compile(r"([0-9]{1,5})([hdw])", re.ASCII)
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def duration(text: str) -> timedelta:
    """Return the duration of a text such as `90d`, `12h` or `4w`; raise ArgumentTypeError."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a duration such as 90d, 12h or 4w")
    return int(match[1]) * UNITS[match[2]]


def roughly(span: timedelta) -> str:
    """Return the duration for people, in one unit."""
    seconds = span.total_seconds()
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
