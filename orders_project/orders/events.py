"""The events that orders publishes, and the columns that their payloads come from."""

from __future__ import annotations

from datetime import datetime

from django.db.backends.utils import CursorWrapper

from events.outbox.publish import publish_event
from events.payloads import OrderConfirmed, to_rfc_3339
from orders_project.orders.models import Order

COLUMNS = {"orderId": "id", "productId": "product_id", "quantity": "quantity"}

# The payload of a stored row, for PostgreSQL; its time is to_rfc_3339's. A test compares both.
CONFIRMED_SQL = (
    "jsonb_build_object("
    + "".join(f"'{member}', {column}, " for member, column in COLUMNS.items())
    + """'confirmedAt', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))"""
)


def publish_confirmed(cursor: CursorWrapper, order: Order, at: datetime) -> None:
    """Record that an order was confirmed, in the transaction that confirms it."""
    values = {member: getattr(order, column) for member, column in COLUMNS.items()}
    payload = OrderConfirmed(**values, confirmedAt=to_rfc_3339(at))
    publish_event(cursor, subject=str(order.pk), payload=payload)
