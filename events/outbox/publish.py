"""Record an event in the transaction of its change."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from events.outbox.models import OutboxEvent
from events.payloads import Payload
from events.tracing import current_traceparent
from ops.telemetry import request_context

COLUMNS = "event_id, type, subject, data, traceparent, correlationid"
# Every order runs this: building the statement in the ORM takes longer than executing it.
RECORD = f"INSERT INTO {OutboxEvent._meta.db_table} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)"  # noqa: S608, SLF001 - the model's own table

# By the primary key: event_id has no index, which each order would pay for.
FIND_RECENT = (
    f"SELECT subject FROM (SELECT event_id, subject FROM {OutboxEvent._meta.db_table} "  # noqa: S608, SLF001 - likewise
    "ORDER BY position DESC LIMIT 10000) AS recent WHERE event_id = %s"
)


def publish_event(cursor: CursorWrapper, *, subject: str, payload: Payload) -> None:
    """Record an event. Call it within the transaction of the change, so that both are stored or neither.

    Events of one subject are sent in the order of their recording.
    """
    event_id = uuid.uuid4()
    values = [
        event_id if connection.features.has_native_uuid_field else event_id.hex,
        payload.type,
        subject,
        payload.model_dump_json(),
        *_origin(),
    ]
    cursor.execute(RECORD, values)


def insert_and_publish(insert: str, *, subject: str, data: str) -> str:
    """Return the one statement that inserts a row and records its event, for PostgreSQL; `event_values` go with it.

    A transaction would wait four times: for its begin, for each statement and for its end. `subject` (text) and `data`
    (jsonb) are SQL over the columns that `insert` returns.
    """
    return (
        f"WITH stored AS ({insert}), recorded AS (INSERT INTO {OutboxEvent._meta.db_table} ({COLUMNS}) "  # noqa: S608, SLF001 - likewise
        f"SELECT %s, %s, {subject}, {data}, %s, %s FROM stored) SELECT * FROM stored"
    )


def event_values(payload: type[Payload]) -> list[Any]:
    """Return the parameters of a statement of `insert_and_publish` that follow the values of its row."""
    return [uuid.uuid4(), payload.type, *_origin()]


def recorded_subject(cursor: CursorWrapper, values: list[Any]) -> str | None:
    """Return the subject of a recent event if the statement with these `event_values` was committed."""
    cursor.execute(FIND_RECENT, [values[0]])
    found = cursor.fetchone()
    return found and str(found[0])


def _origin() -> tuple[str, str]:
    """Return the trace and the request that an event comes from; empty strings where there is none."""
    return current_traceparent(), request_context.current().request_id or ""
