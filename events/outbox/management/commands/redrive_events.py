from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from events.outbox import queue
from ops.cli.arguments import counted, moment
from ops.cli.command import OpsCommand, Result


class Command(OpsCommand):
    """Return dead letters to the relay, as if they had never failed. Repair the cause of the failure first.

    Examples:
      manage.py redrive_events --dry-run                             count them
      manage.py redrive_events                                       all of them
      manage.py redrive_events --type argos.order.confirmed.v1 --since 2026-11-20T09:00:00Z
    """

    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", metavar="TYPE", help="only events of this type")
        parser.add_argument("--since", type=moment, metavar="WHEN", help="only dead letters since this time")

    def perform(
        self,
        *,
        type: str | None,  # noqa: A002 - the option's name
        since: datetime | None,
        dry_run: bool,
        **options: Any,
    ) -> Result:
        count = queue.redrive(type=type, since=since, dry_run=dry_run)
        letters = counted(count, "dead letter")
        sentence = f"Would redrive {letters}. Nothing was changed." if dry_run else f"Redrove {letters}."
        return Result(sentence, {"redriven": count}, details={"dryRun": dry_run})
