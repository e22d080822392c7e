"""Options that several commands take."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime

from django.core.management.base import CommandError, CommandParser

from ops.cli.command import USAGE


def add_interval_arguments(parser: CommandParser, what: str) -> None:
    """Add --since and --until, a half-open interval."""
    form = "an ISO 8601 date or time, in UTC by default"
    parser.add_argument("--since", type=moment, metavar="WHEN", help=f"only {what} from then on: {form}")
    parser.add_argument("--until", type=moment, metavar="WHEN", help=f"only {what} before then")


def check_interval(since: datetime | None, until: datetime | None) -> None:
    """Raise CommandError for an empty interval."""
    if since and until and since >= until:
        raise CommandError(f"--since {_written(since)} is not before --until {_written(until)}.", returncode=USAGE)


def moment(text: str) -> datetime:
    """Return the time; a date means its first moment. Raise ArgumentTypeError."""
    try:
        value = datetime.fromisoformat(text)
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(
            f"{text!r} is not an ISO 8601 date or time, such as 2026-11-20 or 2026-11-20T09:30:00Z"
        ) from None


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a type for argparse: a whole number in ASCII digits within the bounds."""

    def parse(text: str) -> int:
        is_short = text.isascii() and text.isdecimal() and len(text) <= len(str(highest))
        if not (is_short and lowest <= int(text) <= highest):
            raise ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
        return int(text)

    return parse


def _written(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
