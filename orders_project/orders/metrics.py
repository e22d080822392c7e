"""Business metrics of orders."""

from __future__ import annotations

from prometheus_client import Counter

from orders_project.orders.errors import ProductDoesNotExist, ProductsUnavailable

orders_created_total = Counter("orders_created_total", "Orders stored and acknowledged.")
orders_units_total = Counter("orders_units_total", "Units of products in the orders stored: their quantities.")
orders_rejected_total = Counter("orders_rejected_total", "Orders that were well-formed and not stored.", ["reason"])
for reason in (ProductDoesNotExist.code, ProductsUnavailable.code):
    orders_rejected_total.labels(reason)  # from 0 on, so that rate() sees the first
