"""Delete old rows in small batches, oldest first, so that other writers do not wait."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Model, QuerySet
from django.utils import timezone

from ops.cli.arguments import moment, whole_number
from ops.cli.command import OpsCommand, Result
from ops.cli.durations import DURATION, duration
from ops.cli.pacing import pause_until

YOUNGEST = timedelta(days=1)
PAUSE = 0.05  # seconds between two batches


def purge(rows: QuerySet[Model, Any], *, batch: int) -> Iterator[int]:
    """Delete the rows in the order of their keys; yield the count of each batch, outside any transaction."""
    rest = rows
    while keys := list(rest.order_by("pk").values_list("pk", flat=True)[:batch]):
        rest = rows.filter(pk__gt=keys[-1])
        yield rows.filter(pk__in=keys).delete()[0]


class PurgeCommand(OpsCommand):
    """Purge `rows(before)`; a signal ends it after the current batch, and another run continues."""

    changes = True
    destroys = True
    exclusive = True
    what = "rows"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--before",
            type=_old_enough,
            required=True,
            metavar="WHEN",
            help="delete rows older than this time (UTC) or duration, such as 30d; at least one day",
        )
        parser.add_argument(
            "--batch",
            type=whole_number(1, 10_000),
            default=1_000,
            metavar="N",
            help="largest number of rows that one transaction deletes (default: %(default)s)",
        )

    def perform(self, *, before: datetime, batch: int, dry_run: bool, yes: bool, **options: Any) -> Result:
        rows = self.rows(before)
        total = rows.count()
        if dry_run:
            return Result(f"Would purge {total} {self.what}. Nothing was changed.", {"purged": total})
        self.confirm(f"This deletes {total} {self.what} for good.", yes=yes)
        purged = 0
        with self.progress("purging", total) as show:
            for deleted in purge(rows, batch=batch):
                purged += deleted
                show(purged)
                pause_until(time.monotonic() + PAUSE, lambda: self.stopping)
                if self.stopping:
                    break
        problems = ["stopped by a signal"] if self.stopping and purged < total else []
        rest = f" {total - purged} are left: stopped by a signal." if problems else ""
        return Result(f"Purged {purged} {self.what}.{rest}", {"purged": purged}, problems)


def _old_enough(text: str) -> datetime:
    value = timezone.now() - duration(text) if DURATION.fullmatch(text) else moment(text)
    if value > timezone.now() - YOUNGEST:
        raise ArgumentTypeError(f"{text!r} is less than one day ago")
    return value
