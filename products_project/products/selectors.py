"""Queries for products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, QuerySet

from ops.database import batches
from ops.database.compiled_query import CompiledQuery
from products_project.products.models import Product, Reservation
from products_project.products.serializers import PRODUCT, RESERVATION


def list_products() -> QuerySet[Product]:
    """Return the products on sale."""
    return Product.objects.filter(retired_at=None).only(*PRODUCT.columns)


def matching_products(products: QuerySet[Product], *, id: list[int] | None = None) -> QuerySet[Product]:  # noqa: A002 - wire name
    """Return those of the products that have one of the ids."""
    return products if id is None else products.filter(pk__in=id)


# The query that products answers most.
_READ_PRODUCT = CompiledQuery(
    lambda: Product.objects.filter(retired_at=None, pk=0).values_list(*PRODUCT.columns, "stock")
)


def read_product(product_id: int) -> tuple[dict[str, Any], bool]:
    """Return one product on sale and whether its stock is tracked; raise Product.DoesNotExist."""
    row = _READ_PRODUCT.first(product_id) if product_id <= BigIntegerField.MAX_BIGINT else None
    if row is None:
        raise Product.DoesNotExist
    return PRODUCT.show_values(row), row[-1] is not None


def count_products(*, retired: bool) -> int:
    """Return how many products are on sale, or the retired ones too."""
    return (Product.objects.all() if retired else list_products()).count()


def exported_pages(*, retired: bool) -> Iterator[list[list[Any]]]:
    """Yield the values of the same products in the order of their ids, page by page.

    Each page is selected by its ids alone. Until the table has been analyzed, PostgreSQL assumes that null is rare and
    would sort the whole table for every page.
    """
    for page in batches.pages(Product.objects.values_list("pk", "retired_at", *PRODUCT.columns)):
        yield [list(PRODUCT.show_values(row[2:]).values()) for row in page if retired or row[1] is None]


def is_on_sale(product_id: int) -> bool:
    """Return whether a product is on sale; raise Product.DoesNotExist."""
    return Product.objects.values_list("retired_at", flat=True).get(pk=product_id) is None


def read_reservation(reservation_id: UUID) -> Reservation:
    """Return a reservation; raise Reservation.DoesNotExist."""
    return Reservation.objects.only(*RESERVATION.columns).get(pk=reservation_id)
