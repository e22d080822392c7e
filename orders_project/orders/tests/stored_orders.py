"""Older orders in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from orders_project.orders.models import Order


def store_orders(
    count: int, *, age: timedelta = timedelta(0), product_id: int = 1, product_name: str | None = "Quantum Laptop"
) -> Sequence[Order]:
    """Store this number of orders, one second apart, the youngest with that age."""
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


def store_unsettled(**fields: object) -> tuple[Order, Order]:
    """Store a pending order and a rejected one."""
    known = {"product_id": 1, "product_name": "Quantum Laptop", "quantity": 1, "reservation_id": uuid4(), **fields}
    return (
        Order.objects.create(status="pending", recover_after=timezone.now(), **known),
        Order.objects.create(status="rejected", rejection="out_of_stock", available=0, **known),
    )
