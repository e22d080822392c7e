"""The errors that refuse an order.

DomainError
├── IdempotencyKeyInvalid     400 idempotency_key_invalid
├── OrderRejected, which a retry with the same key gets again if the order is stored:
│   ├── ProductDoesNotExist   400 product_does_not_exist
│   ├── OutOfStock            409 out_of_stock, with the remaining stock as `available`
│   └── OrderExpired          409 order_expired.
├── RequestInProgress         409 request_in_progress, with Retry-After
├── IdempotencyKeyReused      422 idempotency_key_reused
└── ProductsUnavailable       500 products_unavailable, with Retry-After
"""

from __future__ import annotations

from datetime import timedelta

from ops.api.problems import DomainError


class IdempotencyKeyInvalid(DomainError):
    """The header Idempotency-Key is neither a quoted nor a bare string."""

    code = "idempotency_key_invalid"
    status = 400
    detail = "Idempotency-Key must be 1 to 255 printable ASCII characters, bare or as a quoted string."


class OrderRejected(DomainError):
    """The order is rejected for good; `is_replayed` if an earlier request with the same key rejected it."""

    is_replayed = False


class ProductDoesNotExist(OrderRejected):
    """The product does not exist or is retired."""

    code = "product_does_not_exist"
    status = 400
    detail = "Product does not exist"


class OutOfStock(OrderRejected):
    """The order's quantity exceeds the remaining stock."""

    code = "out_of_stock"
    status = 409
    detail = "Less is left of the product than was ordered; available says how much."

    def __init__(self, available: int) -> None:
        super().__init__(members={"available": available})


class OrderExpired(OrderRejected):
    """The order was rejected before products had reserved stock for it."""

    code = "order_expired"
    status = 409
    detail = "Products did not answer in time, and this order was given up; order again with another key."


class RequestInProgress(DomainError):
    """Another request with the same key is in progress."""

    code = "request_in_progress"
    status = 409
    detail = "Another request with this Idempotency-Key is being answered; try again later."
    retry_after = timedelta(seconds=1)


class IdempotencyKeyReused(DomainError):
    """The key names an earlier order with another payload."""

    code = "idempotency_key_reused"
    status = 422
    detail = "This Idempotency-Key was used for another order; use another key for another order."


class ProductsUnavailable(DomainError):
    """products gave no valid answer: the product, or its reservation, may or may not exist."""

    code = "products_unavailable"
    status = 500
    detail = "The products service is unavailable; try again later."
