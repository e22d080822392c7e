"""Business metrics of orders."""

from __future__ import annotations

from prometheus_client import Counter

from orders_project.orders.errors import OrderExpired, OutOfStock, ProductDoesNotExist, ProductsUnavailable

orders_created_total = Counter("orders_created_total", "Orders confirmed, each counted once.")
orders_units_total = Counter("orders_units_total", "Pieces in confirmed orders: the sum of their quantities.")
orders_replayed_total = Counter("orders_replayed_total", "Stored answers sent for a known Idempotency-Key.")
orders_rejected_total = Counter("orders_rejected_total", "Well-formed orders that were not confirmed.", ["reason"])
# For the /metrics of recover_orders alone: the web process recovers no order.
orders_recovered_total = Counter(
    "orders_recovered_total", "Orders that recover_orders settled or released, by outcome.", ["outcome"], registry=None
)
for reason in (ProductDoesNotExist.code, ProductsUnavailable.code, OutOfStock.code, OrderExpired.code):
    orders_rejected_total.labels(reason)  # starts at 0, so that rate() sees the first event


def count_confirmed(quantity: int) -> None:
    """Count one confirmed order."""
    orders_created_total.inc()
    orders_units_total.inc(quantity)
