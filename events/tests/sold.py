"""A handler of confirmed orders that remembers them in memory."""

from __future__ import annotations

from events.payloads import OrderConfirmed

orders: list[OrderConfirmed] = []


def count(order: OrderConfirmed) -> None:
    """Remember an order; `settings.INBOX` names this handler."""
    orders.append(order)


def units() -> int:
    """Return the units of all remembered orders."""
    return sum(order.quantity for order in orders)
