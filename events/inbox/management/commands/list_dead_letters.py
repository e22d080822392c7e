from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from events.inbox.dead_letters import list_dead_letters
from events.inbox.management.broker_command import BrokerCommand
from ops.cli.arguments import add_number, counted
from ops.cli.command import Result
from ops.cli.output import print_table

HEADER = ("id", "type", "subject", "failures", "last error")


class Command(BrokerCommand):
    """List and count the dead letters of this service's consumer in RabbitMQ.
    Each listed message goes behind the others in its queue.

    Examples:
      manage.py list_dead_letters                 the first 100, with their last errors
      manage.py list_dead_letters --limit 5 --json    all fields of five
    """

    def add_arguments(self, parser: CommandParser) -> None:
        add_number(parser, "--limit", 1, 10_000, meaning="list the first N; count all", default=100)

    def with_broker(self, *, limit: int, as_json: bool, **options: Any) -> Result:
        total, listed = list_dead_letters(settings.CONFIG, limit=limit)
        if listed and not as_json:
            rows = [(one.message_id, one.type, one.subject, str(one.attempts), one.reason) for one in listed]
            print_table(self.stdout, HEADER, rows, align="<<<><")
        more = f" The first {limit} are listed." if total > limit else ""
        details = {"events": [asdict(one) for one in listed]}
        return Result(f"{counted(total, 'dead letter')}.{more}", {"dead": total}, details=details)
