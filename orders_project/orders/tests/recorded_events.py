"""Events in the outbox, as confirmed orders leave them."""

from __future__ import annotations

from typing import Any

from django.db import connection

from events.outbox.models import OutboxEvent
from events.outbox.publish import publish_event

CONFIRMED = "argos.order.confirmed.v1"


def record(*subjects: object, kind: str = CONFIRMED, **data: Any) -> None:
    """Record an event of each subject."""
    values = {"orderId": 1, "productId": 1, "quantity": 2, "confirmedAt": "2026-11-20T09:30:00.123456Z"} | data
    with connection.cursor() as cursor:
        for subject in subjects:
            publish_event(cursor, type=kind, subject=str(subject), data=values)


def due_now() -> None:
    """Let everything that waits for another try be due."""
    OutboxEvent.objects.filter(sent_at=None).update(next_attempt_at="2026-01-01T00:00:00Z")


def pending() -> list[str]:
    """Return the subjects of what is to be sent."""
    events = OutboxEvent.objects.filter(sent_at=None, dead_at=None).order_by("position")
    return list(events.values_list("subject", flat=True))
