"""The facts of an order, in the spans and the log lines of this service."""

from __future__ import annotations

import structlog
from opentelemetry import trace

ORDER_ID = "argos.order.id"
PRODUCT_ID = "argos.product.id"  # products-service has the same


def note_product(product_id: int) -> None:
    """Put the product into the current span."""
    trace.get_current_span().set_attribute(PRODUCT_ID, product_id)


def note_order(order_id: int) -> None:
    """Put the order into the current span and into the log lines that follow."""
    trace.get_current_span().set_attribute(ORDER_ID, order_id)
    structlog.contextvars.bind_contextvars(order_id=order_id)
