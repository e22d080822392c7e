"""The base of the purges: which rows are old enough, batches with pauses, and the account of a run."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from ops.cli.arguments import add_number, counted, duration, moment, roughly
from ops.cli.command import OpsCommand, Result
from ops.database.batches import LARGEST_BATCH, Batch, delete_in_batches

YOUNGEST = timedelta(days=1)
LONGEST_PAUSE = 60_000  # milliseconds


class PurgeCommand(OpsCommand):
    """Delete `rows(before)` in batches; a signal ends it after the batch in hand, and another run goes on.

    It asks before it deletes rows, or needs --yes. With no row to delete it does not ask: it is safe from cron.
    """

    changes = True
    destroys = True
    exclusive = True
    asks = True
    default_age: timedelta | None = None  # without one, --older-than or --before is required
    noun = "row"
    what = ""  # after the number and the noun: which rows

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        """Return the rows to delete."""
        raise NotImplementedError

    def batches(self, before: datetime, largest: int) -> Iterator[Batch]:
        """Delete the rows; yield after each batch."""
        return delete_in_batches(self.rows(before), largest=largest)

    def kept(self, before: datetime) -> tuple[int, str]:
        """Return how many rows of that age stay, and why."""
        return 0, ""

    def add_arguments(self, parser: CommandParser) -> None:
        age = parser.add_mutually_exclusive_group(required=self.default_age is None)
        default = f" (default: {self.default_age.days}d)" if self.default_age else ""
        age.add_argument(
            "--older-than",
            type=_old_enough,
            metavar="DURATION",
            help=f"such as 90d, 36h or 52w; at least 1d{default}",
        )
        age.add_argument(
            "--before", type=_long_ago, metavar="DATE", help="instead: an ISO 8601 date or time, at least 1d ago"
        )
        meaning = f"{self.noun}s in one transaction at most, up to {LARGEST_BATCH}"
        add_number(parser, "--batch", 1, LARGEST_BATCH, meaning=meaning, default=1_000)
        meaning = "milliseconds between two batches"
        add_number(parser, "--pause", 0, LONGEST_PAUSE, meaning=meaning, default=100, metavar="MS")

    def perform(
        self,
        *,
        older_than: timedelta | None,
        before: datetime | None,
        batch: int,
        pause: int,
        dry_run: bool,
        yes: bool,
        **options: Any,
    ) -> Result:
        cutoff = before or timezone.now() - (older_than or self.default_age or YOUNGEST)
        total = self.rows(cutoff).count()
        if dry_run:
            return self._foreseen(cutoff, total, batch=batch, pause=pause)
        if total and self.asks:
            self.confirm(f"This deletes {self._described(total, cutoff)} for good.", yes=yes)
        counts = self._purge(self.batches(cutoff, batch), pause, total)
        counts["left"] = self.rows(cutoff).count()
        counts["kept"], why_kept = self.kept(cutoff)
        sentence = f"Purged {self._described(counts['purged'], cutoff)}."
        if counts["kept"]:
            sentence += f" Kept {counted(counts['kept'], self.noun)}: {why_kept}."
        if not counts["left"]:
            return Result(sentence, counts)
        why = "stopped by a signal" if self.stopping else "locked by other transactions"
        return Result(f"{sentence} {counts['left']} are left: {why}. Run it again to go on.", counts, [why])

    def _foreseen(self, cutoff: datetime, total: int, *, batch: int, pause: int) -> Result:
        kept, why = self.kept(cutoff)
        counts = {"purgeable": total, "kept": kept}
        sentence = f"Would purge {self._described(total, cutoff)}"
        if takes := self.estimate(total, batch=batch, pause=timedelta(milliseconds=pause)):
            counts["estimated_seconds"] = round(takes.total_seconds())
            sentence += f", in an estimated {roughly(takes)}"
        stays = f" {counted(kept, self.noun)} would stay: {why}." if kept else ""
        return Result(f"{sentence}.{stays} Nothing was changed.", counts, details={"dryRun": True})

    def estimate(self, total: int, *, batch: int, pause: timedelta) -> timedelta | None:
        """Return about how long it takes to delete so many."""
        return None

    def _purge(self, batches: Iterator[Batch], pause: int, total: int) -> dict[str, int]:
        """Purge until nothing is left or a signal came; return the counts."""
        counts = {"purged": 0, "batches": 0, "longest_batch_ms": 0}
        try:
            with self.progress("purging", total) as show:
                for done in batches:
                    counts["purged"] += done.deleted
                    counts["batches"] += 1
                    counts["longest_batch_ms"] = max(counts["longest_batch_ms"], round(done.seconds * 1000))
                    show(counts["purged"])
                    self.pause(pause / 1000)
                    if self.stopping:
                        break
        except DatabaseError as error:
            raise CommandError(
                f"The database refused after {counted(counts['purged'], self.noun)} had been purged: "
                f"{' '.join(str(error).split())}. Run it again to go on."
            ) from error
        return counts

    def _described(self, number: int, cutoff: datetime) -> str:
        return f"{counted(number, self.noun)} {self.what} before {cutoff:%Y-%m-%dT%H:%M:%SZ}"


def _old_enough(text: str) -> timedelta:
    """Refuse less than a day: a typing error must not delete the rows of today."""
    value = duration(text)
    if value < YOUNGEST:
        raise ArgumentTypeError(f"{text!r} is less than 1d")
    return value


def _long_ago(text: str) -> datetime:
    value = moment(text)
    if value > timezone.now() - YOUNGEST:
        raise ArgumentTypeError(f"{text!r} is less than 1d ago")
    return value
