"""The outbox as a queue that several relays share. No transaction is open while an event is being sent.

A relay claims events for a while, its lease, by one UPDATE; PostgreSQL lets the others skip what it holds, SQLite has
one writer at a time. Whoever dies with events in hand leaves them to the others once the lease is over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from events.cloudevents import Event
from events.outbox.models import LONGEST_ERROR, OutboxEvent

TABLE = OutboxEvent._meta.db_table  # noqa: SLF001 - Django's documented API for a model's names

# The first event of its subject that is not sent, so that a later one never overtakes it. A subquery for each row, not
# a join: however long the queue, the rows are looked at in their order, and only as many as are claimed.
CLAIM = f"""
    UPDATE {TABLE} SET next_attempt_at = {{later}} WHERE position IN (
        SELECT position FROM {TABLE} AS event
        WHERE sent_at IS NULL AND dead_at IS NULL AND next_attempt_at <= {{now}} AND position = (
            SELECT min(position) FROM {TABLE} AS same WHERE same.subject = event.subject AND same.sent_at IS NULL
        )
        ORDER BY position LIMIT %s {{locking}}
    )
    RETURNING position, event_id, type, subject, data, time, traceparent, attempts, {{lease}}
"""  # noqa: S608 - the name of the model's own table
SENT = f"UPDATE {TABLE} SET sent_at = {{now}}, dead_at = NULL WHERE position IN ({{values}}) AND sent_at IS NULL"  # noqa: S608
# Only while the lease is still this relay's: another one may have sent the event meanwhile.
FAILED = f"""
    UPDATE {TABLE} SET attempts = attempts + 1, last_error = %s, next_attempt_at = {{later}},
        dead_at = CASE WHEN %s THEN {{now}} END
    WHERE position = %s AND sent_at IS NULL AND next_attempt_at = %s
"""  # noqa: S608
RELEASED = f"""
    UPDATE {TABLE} SET next_attempt_at = {{now}}
    WHERE position IN ({{values}}) AND sent_at IS NULL AND next_attempt_at = %s
"""  # noqa: S608

POSTGRESQL = {
    "now": "statement_timestamp()",
    "later": "statement_timestamp() + %s * interval '1 second'",
    "locking": "FOR UPDATE SKIP LOCKED",
    "lease": "next_attempt_at",
    "values": "SELECT value::bigint FROM json_array_elements_text(%s::json)",
}
SQLITE = {
    "now": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
    "later": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', %s || ' seconds')",
    "locking": "",
    "lease": "CAST(next_attempt_at AS text)",  # or it would be made a datetime, which is written otherwise
    "values": "SELECT value FROM json_each(%s)",
}


@dataclass(frozen=True)
class Claimed:
    """An event that is this relay's to send until its lease ends."""

    position: int
    event: Event
    attempts: int
    lease: object  # as the database has it


def claim(*, limit: int, lease: float) -> list[Claimed]:
    """Claim the events that are due, in their order, for `lease` seconds."""
    with connection.cursor() as cursor:
        cursor.execute(_sql(CLAIM), [lease, limit])
        rows = cursor.fetchall()
    return [_claimed(row) for row in sorted(rows)]


def mark_sent(claimed: Sequence[Claimed]) -> None:
    """Note that the events were sent, whoever has them now."""
    _execute(SENT, [_positions(claimed)])


def mark_failed(claimed: Claimed, *, error: str, retry_in: float, dead: bool) -> None:
    """Note one more failed attempt, and either when to try again or that nobody shall."""
    _execute(FAILED, [error[:LONGEST_ERROR].replace("\0", ""), retry_in, dead, claimed.position, claimed.lease])


def release(claimed: Sequence[Claimed]) -> None:
    """Give back at once what was not tried; all of one claim."""
    if claimed:
        _execute(RELEASED, [_positions(claimed), claimed[0].lease])


def redrive(*, type: str | None, since: datetime | None, dry_run: bool) -> int:  # noqa: A002 - CloudEvents' name
    """Let dead letters be sent again, as if they had never failed; return how many."""
    dead = OutboxEvent.objects.filter(dead_at__isnull=False)
    if type is not None:
        dead = dead.filter(type=type)
    if since is not None:
        dead = dead.filter(dead_at__gte=since)
    if dry_run:
        return dead.count()
    with transaction.atomic():
        return dead.update(dead_at=None, attempts=0, next_attempt_at=datetime.now(UTC))


def _execute(statement: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_sql(statement), parameters)


def _sql(statement: str) -> str:
    dialect: Mapping[str, str] = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
    return statement.format(**dialect)


def _positions(claimed: Sequence[Claimed]) -> str:
    return json.dumps([one.position for one in claimed])


def _claimed(row: tuple[Any, ...]) -> Claimed:
    position, event_id, kind, subject, data, time, traceparent, attempts, lease = row
    moment = time if time.tzinfo else time.replace(tzinfo=UTC)  # SQLite has no time zones
    return Claimed(
        position,
        Event(
            id=str(event_id if isinstance(event_id, UUID) else UUID(event_id)),
            source=f"/{settings.CONFIG.service}",
            type=kind,
            subject=subject,
            time=moment.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            data=json.loads(data) if isinstance(data, str) else data,
            traceparent=traceparent,
        ),
        attempts,
        lease,
    )
