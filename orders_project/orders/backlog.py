"""Gauges of the orders that wait for a decision."""

from __future__ import annotations

from orders_project.orders import selectors

BACKLOG = (
    ("orders_pending", "Orders that are neither confirmed nor rejected yet.", selectors.orders_pending),
    (
        "orders_oldest_pending_age_seconds",
        "Age of the oldest order that is neither confirmed nor rejected yet.",
        selectors.oldest_pending_age_seconds,
    ),
)
