"""Use cases that write orders."""

from __future__ import annotations

import structlog

from orders_project.orders import metrics
from orders_project.orders.errors import ProductDoesNotExist, ProductsUnavailable
from orders_project.orders.models import Order
from orders_project.orders.products_client import ProductsClient, products_client

log = structlog.get_logger(__name__)


def place_order(*, product_id: int, quantity: int, products: ProductsClient | None = None) -> Order:
    """Store an order of a product that exists; raise ProductDoesNotExist or ProductsUnavailable.

    The transaction begins after products has answered, so none is ever open across an HTTP call.
    """
    try:
        product = (products or products_client()).fetch_product(product_id)
    except (ProductDoesNotExist, ProductsUnavailable) as error:
        metrics.orders_rejected_total.labels(error.code).inc()
        raise
    order = Order.objects.create(  # one statement, and so one transaction without a BEGIN and a COMMIT of ours
        product_id=product_id, product_name=product.name, quantity=quantity, status=Order.Status.CONFIRMED
    )
    metrics.orders_created_total.inc()
    metrics.orders_units_total.inc(quantity)
    structlog.contextvars.bind_contextvars(order_id=order.pk)  # into the request's one log line
    log.debug("order.placed", product_id=product_id, quantity=quantity)
    return order
