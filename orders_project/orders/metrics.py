"""Business metrics of orders."""

from __future__ import annotations

from prometheus_client import Counter

from orders_project.orders.errors import OrderExpired, OutOfStock, ProductDoesNotExist, ProductsUnavailable

orders_created_total = Counter("orders_created_total", "Orders confirmed, each of them once.")
orders_units_total = Counter("orders_units_total", "Units of products in the orders confirmed: their quantities.")
orders_replayed_total = Counter("orders_replayed_total", "Answers given again to a known Idempotency-Key.")
orders_rejected_total = Counter("orders_rejected_total", "Orders that were well-formed and not confirmed.", ["reason"])
for reason in (ProductDoesNotExist.code, ProductsUnavailable.code, OutOfStock.code, OrderExpired.code):
    orders_rejected_total.labels(reason)  # from 0 on, so that rate() sees the first


def count_confirmed(quantity: int) -> None:
    """Count one order that was confirmed."""
    orders_created_total.inc()
    orders_units_total.inc(quantity)
