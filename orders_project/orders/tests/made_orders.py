"""Many orders for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orders_project.orders.models import Order

START = datetime(2026, 11, 1, tzinfo=UTC)


def make_orders(
    count: int, *, every: timedelta = timedelta(hours=1), product_id: int = 1, quantity: int = 2
) -> list[int]:
    """Store orders, the first at START, and return their ids."""
    made = Order.objects.bulk_create(
        Order(product_id=product_id, quantity=quantity, status="confirmed", created_at=START + number * every)
        for number in range(count)
    )
    return [order.pk for order in made]
