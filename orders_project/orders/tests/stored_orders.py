"""Orders as they lie in the database after a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from orders_project.orders.models import Order


def store_orders(
    count: int, *, age: timedelta = timedelta(0), product_id: int = 1, product_name: str | None = "Quantum Laptop"
) -> Sequence[Order]:
    """Store so many orders, one second apart, the youngest of that age."""
    youngest = timezone.now() - age
    return Order.objects.bulk_create(
        Order(
            product_id=product_id,
            product_name=product_name,
            quantity=1,
            created_at=youngest - timedelta(seconds=number),
        )
        for number in range(count)
    )
