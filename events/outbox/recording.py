"""Write an event down in the transaction of what it tells of."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from django.db import connection

from events.outbox.models import OutboxEvent
from events.tracing import current_traceparent

# On the way of every order: to have the ORM build this statement takes longer than the database takes for it.
RECORD = (
    f"INSERT INTO {OutboxEvent._meta.db_table} (event_id, type, subject, data, traceparent) VALUES (%s, %s, %s, %s, %s)"  # noqa: S608, SLF001 - the model's own table
)


def record_event(*, type: str, subject: str, data: dict[str, Any]) -> None:  # noqa: A002 - CloudEvents' name
    """Record an event; call it within the transaction that makes it true, so that both are stored or neither.

    An order that is confirmed calls

        record_event(
            type="argos.order.confirmed.v1",
            subject=str(order.pk),
            data={"orderId": order.pk, "productId": ..., "quantity": ..., "confirmedAt": "2026-11-20T09:30:00.123456Z"},
        )

    Events of one subject are sent in the order in which they were recorded. `data` is JSON, its schema in docs/events/.
    """
    event_id = uuid.uuid4()
    values = [
        event_id if connection.features.has_native_uuid_field else event_id.hex,
        type,
        subject,
        orjson.dumps(data).decode(),
        current_traceparent(),
    ]
    with connection.cursor() as cursor:
        cursor.execute(RECORD, values)
