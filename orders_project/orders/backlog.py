"""Gauges of pending orders."""

from __future__ import annotations

from orders_project.orders import selectors

BACKLOG = (
    ("orders_pending", "Pending orders: neither confirmed nor rejected yet.", selectors.orders_pending),
    (
        "orders_oldest_pending_age_seconds",
        "Age of the oldest pending order.",
        selectors.oldest_pending_age_seconds,
    ),
)
