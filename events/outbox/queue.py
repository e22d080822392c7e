"""The outbox as a queue that several relays share. A relay sends events outside any transaction.

One UPDATE claims events for a lease. On PostgreSQL other relays skip locked rows; SQLite has one writer at a time. If
a relay dies, the others may claim its events when the lease ends.
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
from django.db.models import QuerySet

from events.cloudevents import Event
from events.outbox.models import LONGEST_ERROR, OutboxEvent
from events.payloads import to_rfc_3339

TABLE = OutboxEvent._meta.db_table  # noqa: SLF001 - Django's documented API for a model's names

# Only the first unsent event of each subject, so that a later one never overtakes it. A subquery for each row, not a
# join: the database reads the rows in their order and stops at the limit, however long the queue is.
CLAIM = f"""
    UPDATE {TABLE} SET next_attempt_at = {{later}} WHERE position IN (
        SELECT position FROM {TABLE} AS event
        WHERE sent_at IS NULL AND dead_at IS NULL AND next_attempt_at <= {{now}} AND position = (
            SELECT min(position) FROM {TABLE} AS same WHERE same.subject = event.subject AND same.sent_at IS NULL
        )
        ORDER BY position LIMIT %s {{locking}}
    )
    RETURNING position, event_id, type, subject, data, time, traceparent, correlationid, attempts,
        {{lease}}
"""  # noqa: S608 - the name of the model's own table
SENT = f"UPDATE {TABLE} SET sent_at = {{now}}, dead_at = NULL WHERE position IN ({{values}}) AND sent_at IS NULL"  # noqa: S608
# Only while this relay still has the lease: another one may have sent the event.
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
    "lease": "CAST(next_attempt_at AS text)",  # as a datetime it would be formatted differently
    "values": "SELECT value FROM json_each(%s)",
}


@dataclass(frozen=True)
class Claimed:
    """An event claimed by this relay until its lease ends."""

    position: int
    event: Event
    attempts: int
    lease: object  # as the database returns it


def claim(*, limit: int, lease: float) -> list[Claimed]:
    """Claim due events in their order for `lease` seconds."""
    with connection.cursor() as cursor:
        cursor.execute(_sql(CLAIM), [lease, limit])
        rows = cursor.fetchall()
    return [_claimed(row) for row in sorted(rows)]


def mark_sent(claimed: Sequence[Claimed]) -> None:
    """Mark the events as sent, whichever relay has claimed them now."""
    _execute(SENT, [_positions(claimed)])


def mark_failed(claimed: Claimed, *, error: str, retry_in: float, dead: bool) -> None:
    """Record a failed attempt, and either the time of the next one or a dead letter."""
    _execute(FAILED, [error[:LONGEST_ERROR].replace("\0", ""), retry_in, dead, claimed.position, claimed.lease])


def release(claimed: Sequence[Claimed]) -> None:
    """Release the events of one claim that were not tried."""
    if claimed:
        _execute(RELEASED, [_positions(claimed), claimed[0].lease])


def redrive(
    *,
    type: str | None = None,  # noqa: A002 - CloudEvents' name
    since: datetime | None = None,
    among: QuerySet[OutboxEvent] | None = None,
    dry_run: bool,
) -> int:
    """Return dead letters to the queue as if they had never failed; return how many."""
    dead = (OutboxEvent.objects.all() if among is None else among).filter(dead_at__isnull=False)
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
    position, event_id, kind, subject, data, time, traceparent, correlationid, attempts, lease = row
    moment = time if time.tzinfo else time.replace(tzinfo=UTC)  # SQLite has no time zones
    return Claimed(
        position,
        Event(
            id=str(event_id if isinstance(event_id, UUID) else UUID(event_id)),
            source=f"/{settings.CONFIG.service}",
            type=kind,
            subject=subject,
            time=to_rfc_3339(moment),
            data=json.loads(data) if isinstance(data, str) else data,
            traceparent=traceparent,
            correlationid=correlationid,
        ),
        attempts,
        lease,
    )
