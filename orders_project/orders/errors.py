"""What stops an order.

DomainError
├── IdempotencyKeyInvalid     400 idempotency_key_invalid
├── ProductDoesNotExist       400 product_does_not_exist, remembered where stock was asked for
├── OutOfStock                409 out_of_stock, with what is left as `available`; remembered
├── OrderExpired              409 order_expired; remembered
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


class ProductDoesNotExist(DomainError):
    """products does not know the product."""

    code = "product_does_not_exist"
    status = 400
    detail = "Product does not exist"


class OutOfStock(DomainError):
    """Less is left of the product than was ordered."""

    code = "out_of_stock"
    status = 409
    detail = "Less is left of the product than was ordered; available says how much."

    def __init__(self, available: int) -> None:
        super().__init__(members={"available": available})


class OrderExpired(DomainError):
    """The order was given up before products had reserved anything for it."""

    code = "order_expired"
    status = 409
    detail = "Products did not answer in time, and this order was given up; order again with another key."


class RequestInProgress(DomainError):
    """Another request with the same key is being answered."""

    code = "request_in_progress"
    status = 409
    detail = "Another request with this Idempotency-Key is being answered; try again later."

    def __init__(self) -> None:
        super().__init__(retry_after=timedelta(seconds=1))


class IdempotencyKeyReused(DomainError):
    """The key came before, with another order."""

    code = "idempotency_key_reused"
    status = 422
    detail = "This Idempotency-Key was used for another order; use another key for another order."


class ProductsUnavailable(DomainError):
    """products could not be asked, so whether the product exists, or its stock is reserved, is unknown."""

    code = "products_unavailable"
    status = 500
    detail = "The products service is unavailable; try again later."
