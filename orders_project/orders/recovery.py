"""Resolve abandoned orders, and release the reservations of rejected ones."""

from __future__ import annotations

import random
from contextvars import copy_context
from datetime import timedelta
from typing import Literal

import structlog
from django.utils import timezone
from opentelemetry.context import Context

from ops.telemetry import tracing
from ops.testing.fault_points import fault_point
from orders_project.orders import lifecycle, selectors
from orders_project.orders.errors import OrderExpired, ProductsUnavailable
from orders_project.orders.fault_points import OrderStep
from orders_project.orders.metrics import orders_recovered_total
from orders_project.orders.models import Order
from orders_project.orders.products_client import ProductsClient, products_client
from orders_project.orders.telemetry import note_order, note_product

log = structlog.get_logger(__name__)

Outcome = Literal["confirmed", "rejected", "released", "postponed"]

AT_ONCE = 100  # orders read together
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=30)


def due_orders() -> list[Order]:
    """Return a batch of due orders, the longest due first."""
    return list(selectors.orders_due(timezone.now())[:AT_ONCE])


def recover(order: Order, products: ProductsClient | None = None) -> Outcome | None:
    """Resolve or release one order; return None if another process was faster. Concurrent calls are safe."""
    if not lifecycle.claim(order):
        return None
    # In its own context, so that the facts of a failed call stay with this order.
    outcome = copy_context().run(_traced, order, products or products_client())
    if outcome:
        orders_recovered_total.labels(outcome).inc()
    return outcome


def _traced(order: Order, products: ProductsClient) -> Outcome | None:
    """Recover an order in a trace of its own: the command's span lasts as long as the process."""
    with tracing.tracer.start_as_current_span("recover order", context=Context()) as span:
        tracing.bind_trace(span)
        return _recover(order, products)


def _recover(order: Order, products: ProductsClient) -> Outcome | None:
    age = timezone.now() - order.created_at
    note_product(order.product_id)
    note_order(order.pk)
    try:
        outcome = _release(order, products) if order.status == Order.Status.REJECTED else _resolve(order, products)
    except ProductsUnavailable as error:
        # A pause as long as the age doubles each time. The jitter spreads many orders.
        pause = min(max(age, SHORTEST_PAUSE), LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311 - not a secret
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
    if found.state != "unknown":  # cancelled, or the reservation of another order
        return "rejected" if lifecycle.reject(order, OrderExpired.code, release_after=None) else None
    # Reject first, then release: a request that reserves in between can no longer confirm the order. Releasing an id
    # that was never reserved leaves a tombstone, which refuses a late request.
    if not lifecycle.reject(order, OrderExpired.code, release_after=order.recover_after):
        return None
    _release(order, products)
    return "rejected"


def _release(order: Order, products: ProductsClient) -> Outcome:
    assert order.reservation_id is not None  # noqa: S101 - only a reservation is released
    with fault_point(OrderStep.RELEASE):
        products.release(order.reservation_id)
    lifecycle.mark_released(order)
    return "released"
