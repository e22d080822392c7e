"""Settle the orders that nobody works at any more, and give back what rejected ones may have reserved."""

from __future__ import annotations

import random
from contextvars import copy_context
from datetime import timedelta
from typing import Literal

import structlog
from django.utils import timezone

from ops.testing.fault_points import fault_point
from orders_project.orders import lifecycle, selectors
from orders_project.orders.errors import OrderExpired, ProductsUnavailable
from orders_project.orders.fault_points import OrderStep
from orders_project.orders.models import Order
from orders_project.orders.products_client import ProductsClient, products_client
from orders_project.orders.recovery_metrics import orders_recovered_total

log = structlog.get_logger(__name__)

Outcome = Literal["confirmed", "rejected", "released", "postponed"]

AT_ONCE = 100  # orders that are read together
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=30)


def due_orders() -> list[Order]:
    """Return some of the orders that something is to be done for, the longest due first."""
    return list(selectors.orders_due(timezone.now())[:AT_ONCE])


def recover(order: Order, products: ProductsClient | None = None) -> Outcome | None:
    """Do for one order what is to be done; None if another process was faster. Several at once are safe."""
    if not lifecycle.claim(order):
        return None
    # In a context of its own: what the client notes of a failed call is of this order alone.
    outcome = copy_context().run(_recover, order, products or products_client())
    if outcome:
        orders_recovered_total.labels(outcome).inc()
    return outcome


def _recover(order: Order, products: ProductsClient) -> Outcome | None:
    age = timezone.now() - order.created_at
    structlog.contextvars.bind_contextvars(order_id=order.pk)
    try:
        outcome = _release(order, products) if order.status == Order.Status.REJECTED else _resolve(order, products)
    except ProductsUnavailable as error:
        # To wait as long as the order is old doubles each pause. The jitter keeps many orders from coming at once.
        pause = min(max(age, SHORTEST_PAUSE), LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311 - no secret
        lifecycle.release_lease(order, retry_in=pause)
        log.warning("order.recovery_postponed", reason=str(error.__cause__), pause_s=round(pause.total_seconds(), 1))
        return "postponed"
    log.info("order.recovered", outcome=outcome, age_s=round(age.total_seconds(), 1))
    return outcome


def _resolve(order: Order, products: ProductsClient) -> Outcome | None:
    assert order.reservation_id is not None  # noqa: S101 - a constraint of the table
    with fault_point(OrderStep.FIND_RESERVATION):
        found = products.find_reservation(order.reservation_id, product_id=order.product_id, quantity=order.quantity)
    if found.state == "held":
        return "confirmed" if lifecycle.confirm(order) else None
    if found.state != "unknown":  # cancelled, or not this order's
        return "rejected" if lifecycle.reject(order, OrderExpired.code, release_after=None) else None
    # First rejected, then given back: whoever reserves in between finds that it may not confirm any more. What is given
    # back before it was ever held is a tombstone, which refuses the request that comes late.
    if not lifecycle.reject(order, OrderExpired.code, release_after=order.recover_after):
        return None
    _release(order, products)
    return "rejected"


def _release(order: Order, products: ProductsClient) -> Outcome:
    assert order.reservation_id is not None  # noqa: S101 - only what was reserved is given back
    with fault_point(OrderStep.RELEASE):
        products.release(order.reservation_id)
    lifecycle.mark_released(order)
    return "released"
