from __future__ import annotations

import time
from argparse import ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from ops.arguments import whole_number
from ops.commands import OpsCommand, Result
from ops.durations import duration, roughly
from ops.pacing import pause_until
from orders_project.orders.purging import DELETIONS_A_SECOND, LARGEST_BATCH, estimate, purge_orders
from orders_project.orders.selectors import orders_before

YOUNGEST = timedelta(days=1)  # a slip of the pen, such as 1h, must not cost the day's orders
LONGEST_PAUSE = 60_000  # milliseconds


class Command(OpsCommand):
    help = (
        "Delete orders older than a duration, the oldest first, for good.\n"
        "It works in small batches with pauses, so that orders are placed meanwhile as before: a batch that took long\n"
        "makes the next one smaller. A signal ends it after the batch in hand; another run goes on from there."
    )
    examples = (
        "  manage.py purge_orders --older-than 90d --dry-run     how many, and how long it would take\n"
        "  manage.py purge_orders --older-than 90d               asks before it deletes\n"
        "  manage.py purge_orders --older-than 52w --yes         from cron\n"
        "  manage.py purge_orders --older-than 90d --yes --batch 200 --pause 500     slower, still more careful\n\n"
        "Where others held on to an order for the whole run, it is left, and the run ends with 1."
    )
    changes = True
    destroys = True
    exclusive = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=_old_enough,
            required=True,
            metavar="DURATION",
            help="such as 90d, 36h or 52w; at least 1d",
        )
        parser.add_argument(
            "--batch",
            type=whole_number(1, LARGEST_BATCH),
            default=1_000,
            metavar="N",
            help=f"orders that one transaction deletes at most, up to {LARGEST_BATCH} (default: %(default)s)",
        )
        parser.add_argument(
            "--pause",
            type=whole_number(0, LONGEST_PAUSE),
            default=100,
            metavar="MS",
            help="milliseconds between two batches (default: %(default)s)",
        )

    def perform(
        self, *, older_than: timedelta, batch: int, pause: int, dry_run: bool, yes: bool, **options: Any
    ) -> Result:
        cutoff = timezone.now() - older_than
        what = f"placed before {cutoff:%Y-%m-%dT%H:%M:%SZ}"
        total = orders_before(cutoff).count()
        if dry_run:
            takes = estimate(total, largest=batch, pause=timedelta(milliseconds=pause))
            return Result(
                f"Would purge {_orders(total)} {what}, in about {roughly(takes)}, going by {DELETIONS_A_SECOND} "
                f"deletions a second as measured once and {pause} ms after each {batch}. Nothing was changed.",
                {"orders": total, "estimated_seconds": round(takes.total_seconds())},
                details={"dryRun": True},
            )
        self.confirm(f"This deletes {_orders(total)} {what} for good.", yes=yes)

        counts = self._purge(cutoff, batch, pause / 1000, total)
        counts["left"] = orders_before(cutoff).count()
        sentence = f"Purged {_orders(counts['purged'])} {what}."
        if not counts["left"]:
            return Result(sentence, counts)
        why = "stopped by a signal" if self.stopping else "locked by other transactions"
        return Result(f"{sentence} {counts['left']} are left: {why}. Run it again to go on.", counts, [why])

    def _purge(self, cutoff: datetime, batch: int, pause: float, total: int) -> dict[str, int]:
        """Purge until nothing is left or a signal came; return what was done."""
        counts = {"purged": 0, "batches": 0, "longest_batch_ms": 0}
        try:
            with self.progress("purging", total) as show:
                for done in purge_orders(before=cutoff, largest=batch):
                    counts["purged"] += done.deleted
                    counts["batches"] += 1
                    counts["longest_batch_ms"] = max(counts["longest_batch_ms"], round(done.seconds * 1000))
                    show(counts["purged"])
                    pause_until(time.monotonic() + pause, lambda: self.stopping)
                    if self.stopping:
                        break
        except DatabaseError as error:
            raise CommandError(
                f"The database refused after {_orders(counts['purged'])} had been purged: "
                f"{' '.join(str(error).split())}. Run it again to go on."
            ) from error
        return counts


def _orders(count: int) -> str:
    return f"{count} order" if count == 1 else f"{count} orders"


def _old_enough(text: str) -> timedelta:
    value = duration(text)
    if value < YOUNGEST:
        raise ArgumentTypeError(f"{text!r} is less than 1d")
    return value
