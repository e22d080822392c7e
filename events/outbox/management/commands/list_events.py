from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from events.outbox.models import OutboxEvent
from events.outbox.selectors import STATES, outbox_events, state_of
from ops.cli.arguments import add_number, counted, moment, roughly
from ops.cli.command import OpsCommand, Result
from ops.cli.output import print_table

HEADER = ("position", "state", "age", "failures", "type", "subject", "id", "last error")


class Command(OpsCommand):
    """List and count the events of the outbox in the order in which they were recorded.

    Examples:
      manage.py list_events --state pending              events not sent yet
      manage.py list_events --state dead                 dead letters with their last errors
      manage.py list_events --since 2026-11-20 --json    all fields of each event
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--state", choices=sorted(STATES), help="only events in this state")
        parser.add_argument("--type", metavar="TYPE", help="only events of this type, such as argos.order.confirmed.v1")
        parser.add_argument("--since", type=moment, metavar="WHEN", help="only events since this time (UTC)")
        add_number(parser, "--limit", 1, 100_000, meaning="list the first N; count all", default=100)

    def perform(
        self,
        *,
        state: str | None,
        type: str | None,  # noqa: A002 - the option's name
        since: datetime | None,
        limit: int,
        as_json: bool,
        **options: Any,
    ) -> Result:
        events = outbox_events(state=state, type=type, since=since)
        counts = {name: events.filter(condition).count() for name, condition in STATES.items()}
        listed = list(events[:limit])
        if listed and not as_json:
            print_table(self.stdout, HEADER, [_row(event) for event in listed], align="><>><<<<")
        total = sum(counts.values())
        parts = ", ".join(f"{count} {name}" for name, count in counts.items())
        more = f" The first {limit} are listed." if total > limit else ""
        return Result(
            f"{counted(total, 'event')}: {parts}.{more}",
            counts,
            details={"events": [_document(event) for event in listed]},
        )


def _row(event: OutboxEvent) -> tuple[str, ...]:
    return (
        str(event.position),
        state_of(event),
        roughly(timezone.now() - event.time),
        str(event.attempts),
        event.type,
        event.subject,
        str(event.event_id),
        event.last_error,
    )


def _document(event: OutboxEvent) -> dict[str, Any]:
    return {
        "position": event.position,
        "state": state_of(event),
        "id": str(event.event_id),
        "type": event.type,
        "subject": event.subject,
        "time": _written(event.time),
        "attempts": event.attempts,
        "nextAttemptAt": _written(event.next_attempt_at),
        "sentAt": _written(event.sent_at),
        "deadAt": _written(event.dead_at),
        "lastError": event.last_error,
        "traceparent": event.traceparent,
        "correlationid": event.correlationid,
        "data": event.data,
    }


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
