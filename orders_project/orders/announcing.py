"""What orders announces: docs/events/ has the schemas."""

from __future__ import annotations

from datetime import datetime

from events.outbox.recording import record_event
from orders_project.orders.models import Order

CONFIRMED = "argos.order.confirmed.v1"


def announce_confirmed(order: Order, at: datetime) -> None:
    """Record that an order was confirmed, in the transaction that confirms it."""
    data = {
        "orderId": order.pk,
        "productId": order.product_id,
        "quantity": order.quantity,
        "confirmedAt": at.isoformat().replace("+00:00", "Z"),
    }
    record_event(type=CONFIRMED, subject=str(order.pk), data=data)
