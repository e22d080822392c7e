"""Use cases that write orders."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from django.db import IntegrityError

from ops.testing.fault_points import fault_point
from orders_project.orders import errors, lifecycle, metrics, selectors
from orders_project.orders.fault_points import OrderStep
from orders_project.orders.idempotency import payload_hash
from orders_project.orders.models import Order
from orders_project.orders.products_client import Product, ProductsClient, products_client
from orders_project.orders.telemetry import note_order, note_product

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Placement:
    """A confirmed order, and whether an earlier request with the same key placed it."""

    order: Order
    is_replayed: bool = False


def place_order(
    *,
    product_id: int,
    quantity: int,
    key: str | None = None,
    owner: str | None = None,
    products: ProductsClient | None = None,
) -> Placement:
    """Place an order of a product that exists; raise an error of errors.py.

    The same owner's key with the same payload gets the first answer again, once there is one. The transaction begins
    after products has answered, so none is open across an HTTP call.
    """
    if key is not None and (known := selectors.order_of_key(key, owner)) is not None:
        return _place_again(known, product_id=product_id, quantity=quantity, products=products)
    products = products or products_client()
    note_product(product_id)
    try:
        with fault_point(OrderStep.FETCH_PRODUCT):
            product = products.fetch_product(product_id)
    except (errors.ProductDoesNotExist, errors.ProductsUnavailable) as error:
        metrics.orders_rejected_total.labels(error.code).inc()
        raise
    try:
        order = _store(product, quantity=quantity, key=key, owner=owner)
    except IntegrityError:  # a request with the same key was faster
        if key is None or (known := selectors.order_of_key(key, owner)) is None:
            raise
        return _place_again(known, product_id=product_id, quantity=quantity, products=products)
    note_order(order.pk)
    if product.is_tracked:
        lifecycle.resolve(order, products)
    log.debug("order.placed", product_id=product_id, quantity=quantity)
    return Placement(order)


def _store(product: Product, *, quantity: int, key: str | None, owner: str | None) -> Order:
    """Store the order: confirmed, or pending if it needs a reservation first."""
    order = Order(product_id=product.id, product_name=product.name, quantity=quantity, owner=owner)
    if key is not None:
        order.idempotency_key, order.payload_hash = key, payload_hash(product_id=product.id, quantity=quantity)
    if product.is_tracked:
        lifecycle.store_pending(order)
    else:
        lifecycle.store_confirmed(order)
    return order


def _place_again(order: Order, *, product_id: int, quantity: int, products: ProductsClient | None) -> Placement:
    """Return the first answer again; resolve an order that is still pending and without a lease."""
    note_product(order.product_id)
    note_order(order.pk)
    if order.payload_hash != payload_hash(product_id=product_id, quantity=quantity):
        raise errors.IdempotencyKeyReused
    if order.status == Order.Status.PENDING:
        if lifecycle.claim(order, for_retry=True):
            lifecycle.resolve(order, products or products_client(), is_first=False)
            log.debug("order.placed", product_id=product_id, quantity=quantity)
            return Placement(order)
        order.refresh_from_db()
        if order.status == Order.Status.PENDING:
            raise errors.RequestInProgress
    metrics.orders_replayed_total.inc()
    log.debug("order.replayed", status=order.status)
    if order.status == Order.Status.REJECTED:
        rejection = lifecycle.rejection_of(order)
        rejection.is_replayed = True
        raise rejection
    return Placement(order, is_replayed=True)
