"""What purge_orders and purge_idempotency_keys share: batches, pauses, and an account of both."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from ops.cli.arguments import whole_number
from ops.cli.command import OpsCommand
from ops.cli.durations import duration
from ops.cli.pacing import pause_until
from orders_project.orders.models import KEY_LIFETIME
from orders_project.orders.purging import LARGEST_BATCH, Batch

LONGEST_PAUSE = 60_000  # milliseconds


class PurgeCommand(OpsCommand):
    """Take --older-than, --batch and --pause, and keep to them."""

    changes = True
    exclusive = True
    oldest_by_default: timedelta | None = None  # or --older-than is required
    action, noun = "purging", "order"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=_old_enough,
            required=self.oldest_by_default is None,
            default=self.oldest_by_default,
            metavar="DURATION",
            help="such as 90d, 36h or 52w; at least 1d" + ("" if self.oldest_by_default is None else ", the default"),
        )
        parser.add_argument(
            "--batch",
            type=whole_number(1, LARGEST_BATCH),
            default=1_000,
            metavar="N",
            help=f"{self.noun}s that one transaction deletes at most, up to {LARGEST_BATCH} (default: %(default)s)",
        )
        parser.add_argument(
            "--pause",
            type=whole_number(0, LONGEST_PAUSE),
            default=100,
            metavar="MS",
            help="milliseconds between two batches (default: %(default)s)",
        )

    def purge(self, batches: Iterator[Batch], pause: int, total: int) -> dict[str, int]:
        """Purge until nothing is left or a signal came; return what was done."""
        counts = {"purged": 0, "batches": 0, "longest_batch_ms": 0}
        try:
            with self.progress(self.action, total) as show:
                for done in batches:
                    counts["purged"] += done.deleted
                    counts["batches"] += 1
                    counts["longest_batch_ms"] = max(counts["longest_batch_ms"], round(done.seconds * 1000))
                    show(counts["purged"])
                    pause_until(time.monotonic() + pause / 1000, lambda: self.stopping)
                    if self.stopping:
                        break
        except DatabaseError as error:
            raise CommandError(
                f"The database refused after {self.count(counts['purged'])} had been purged: "
                f"{' '.join(str(error).split())}. Run it again to go on."
            ) from error
        return counts

    def count(self, number: int) -> str:
        """Return so many of them, in words."""
        return f"{number} {self.noun}" if number == 1 else f"{number} {self.noun}s"

    def why_left(self) -> str:
        """Say what kept a run from the rest."""
        return "stopped by a signal" if self.stopping else "locked by other transactions"


def _old_enough(text: str) -> timedelta:
    """Refuse less than a day: a slip of the pen must not cost the day's orders, nor the keys that still count."""
    value = duration(text)
    if value < KEY_LIFETIME:
        raise ArgumentTypeError(f"{text!r} is less than 1d")
    return value
