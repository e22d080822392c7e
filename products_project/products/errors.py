"""The errors of reservations.

DomainError
├── ProductNotFound           404 not_found
├── OutOfStock                409 out_of_stock, with the stock as `available`
├── ReservationCancelled      409 reservation_cancelled
└── ReservationReused         422 reservation_reused
"""

from __future__ import annotations

from ops.api.problems import DomainError


class ProductNotFound(DomainError):
    """The product does not exist or is retired."""

    code = "not_found"
    status = 404
    detail = "There is no such product."


class OutOfStock(DomainError):
    """The stock is smaller than the quantity."""

    code = "out_of_stock"
    status = 409
    detail = "Less of the product is left than that."

    def __init__(self, available: int) -> None:
        super().__init__(members={"available": available})
        self.available = available


class ReservationCancelled(DomainError):
    """The id was cancelled, perhaps before it was reserved."""

    code = "reservation_cancelled"
    status = 409
    detail = "The reservation was cancelled; hold under another id."


class ReservationReused(DomainError):
    """The id has another product or quantity."""

    code = "reservation_reused"
    status = 422
    detail = "This id holds another product or quantity."
