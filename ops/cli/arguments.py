"""Options that several commands take, and the words of their sentences."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.core.management.base import CommandError, CommandParser

from ops.cli.command import USAGE

DURATION = re.compile(r"([0-9]{1,5})([hdw])", re.ASCII)
CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def add_interval_arguments(parser: CommandParser, what: str) -> None:
    """Add --since and --until, a half-open interval."""
    form = "an ISO 8601 date or time, in UTC by default"
    parser.add_argument("--since", type=moment, metavar="WHEN", help=f"only {what} from then on: {form}")
    parser.add_argument("--until", type=moment, metavar="WHEN", help=f"only {what} before then")


def check_interval(since: datetime | None, until: datetime | None) -> None:
    """Raise CommandError for an empty interval."""
    if since and until and since >= until:
        raise CommandError(f"--since {_written(since)} is not before --until {_written(until)}.", returncode=USAGE)


def check_client_name(name: str) -> None:
    """Raise CommandError for a name that no client of the API can have."""
    if not CLIENT.fullmatch(name):
        raise CommandError(f"{name!r} is not a name of letters, digits and . _ -, 100 at most.", returncode=USAGE)


def moment(text: str) -> datetime:
    """Return the time; a date means its first moment. Raise ArgumentTypeError."""
    try:
        value = datetime.fromisoformat(text)
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(
            f"{text!r} is not an ISO 8601 date or time, such as 2026-11-20 or 2026-11-20T09:30:00Z"
        ) from None


def add_number(
    parser: CommandParser,
    name: str,
    lowest: int,
    highest: int,
    *,
    meaning: str,
    default: int | None,
    metavar: str = "N",
) -> None:
    """Add an option for a whole number; its help ends with the default."""
    shown = meaning if default is None else f"{meaning} (default: %(default)s)"
    parser.add_argument(name, type=whole_number(lowest, highest), default=default, metavar=metavar, help=shown)


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a type for argparse: a whole number in ASCII digits within the bounds."""

    def parse(text: str) -> int:
        is_short = text.isascii() and text.isdecimal() and len(text) <= len(str(highest))
        if not (is_short and lowest <= int(text) <= highest):
            raise ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
        return int(text)

    return parse


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


def counted(number: int, noun: str) -> str:
    """Return the number with its noun, in the plural unless it is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _written(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
