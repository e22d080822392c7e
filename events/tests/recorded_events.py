"""Events in the outbox, as confirmed orders record them."""

from __future__ import annotations

from typing import Any

from django.db import connection

from events.outbox.models import OutboxEvent
from events.outbox.publish import publish_event
from events.payloads import OrderConfirmed, Payload

CONFIRMED = OrderConfirmed.type


def record(*subjects: object, kind: str = CONFIRMED, **data: Any) -> None:
    """Record an event of each subject."""
    values: dict[str, Any] = {
        "orderId": 1,
        "productId": 1,
        "quantity": 2,
        "confirmedAt": "2026-11-20T09:30:00.123456Z",
    } | data
    with connection.cursor() as cursor:
        for subject in subjects:
            publish_event(cursor, subject=str(subject), payload=_payload_of(kind)(**values))


def _payload_of(kind: str) -> type[Payload]:
    class OfKind(OrderConfirmed):
        type = kind

    return OfKind


def due_now() -> None:
    """Make all waiting events due."""
    OutboxEvent.objects.filter(sent_at=None).update(next_attempt_at="2026-01-01T00:00:00Z")


def pending() -> list[str]:
    """Return the subjects of unsent events."""
    events = OutboxEvent.objects.filter(sent_at=None, dead_at=None).order_by("position")
    return list(events.values_list("subject", flat=True))
