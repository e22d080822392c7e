"""The facts of a sale, in the spans of this service."""

from __future__ import annotations

from opentelemetry import trace

ORDER_ID = "argos.order.id"  # orders-service has the same
PRODUCT_ID = "argos.product.id"


def note(*, product_id: int, order_id: int | None = None) -> None:
    """Put the product, and the order, into the current span."""
    span = trace.get_current_span()
    span.set_attribute(PRODUCT_ID, product_id)
    if order_id is not None:
        span.set_attribute(ORDER_ID, order_id)
