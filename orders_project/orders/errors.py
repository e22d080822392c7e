"""What stops an order.

DomainError
├── ProductDoesNotExist       400 product_does_not_exist
└── ProductsUnavailable       500 products_unavailable, with Retry-After
"""

from __future__ import annotations

from ops.problems import DomainError


class ProductDoesNotExist(DomainError):
    """products does not know the product."""

    code = "product_does_not_exist"
    status = 400
    detail = "Product does not exist"


class ProductsUnavailable(DomainError):
    """products could not be asked, so whether the product exists is unknown."""

    code = "products_unavailable"
    status = 500
    detail = "The products service is unavailable; try again later."
