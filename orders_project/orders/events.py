"""What orders announces: docs/events/ has the schemas."""

from __future__ import annotations

from datetime import datetime

from django.db.backends.utils import CursorWrapper

from events.outbox.publish import publish_event
from orders_project.orders.models import Order

CONFIRMED = "argos.order.confirmed.v1"

# The same as `publish_confirmed` writes, in PostgreSQL's words and of an order's row.
CONFIRMED_DATA = (
    "jsonb_build_object('orderId', id, 'productId', product_id, 'quantity', quantity, 'confirmedAt', "
    """to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))"""
)


def publish_confirmed(cursor: CursorWrapper, order: Order, at: datetime) -> None:
    """Record that an order was confirmed, in the transaction that confirms it."""
    data = {
        "orderId": order.pk,
        "productId": order.product_id,
        "quantity": order.quantity,
        "confirmedAt": at.isoformat().replace("+00:00", "Z"),
    }
    publish_event(cursor, type=CONFIRMED, subject=str(order.pk), data=data)
