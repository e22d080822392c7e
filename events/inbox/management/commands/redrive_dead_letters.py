from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from events.inbox.dead_letters import redrive_dead_letters
from events.inbox.management.broker_command import BrokerCommand
from ops.cli.arguments import add_number, counted
from ops.cli.command import Result


class Command(BrokerCommand):
    """Return the dead letters of this service's consumer to its queue, as if they had never failed.
    Repair the cause first. An event that was applied already has no second effect.

    Examples:
      manage.py redrive_dead_letters --dry-run      how many
      manage.py redrive_dead_letters --limit 1      one, to try
      manage.py redrive_dead_letters                all of them
    """

    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        add_number(parser, "--limit", 1, 1_000_000, meaning="the first N only; default: all", default=None)

    def with_broker(self, *, limit: int | None, dry_run: bool, **options: Any) -> Result:
        count = redrive_dead_letters(settings.CONFIG, limit=limit, dry_run=dry_run)
        letters = counted(count, "dead letter")
        sentence = f"Would redrive {letters}. Nothing was changed." if dry_run else f"Redrove {letters}."
        return Result(sentence, {"redriven": count}, details={"dryRun": dry_run})
