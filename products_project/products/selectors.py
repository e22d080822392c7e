"""Queries for products."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db import connection
from django.db.models import BigIntegerField, QuerySet

from ops.database import batches
from products_project.products import metrics
from products_project.products.models import Product, Reservation


def list_products() -> QuerySet[Product]:
    """Return the products on sale."""
    return Product.objects.filter(retired_at=None).only("id", "name")


# The query that products answers most, and nothing but the query: to have the ORM build it takes twice its time.
TABLE = Product._meta.db_table  # noqa: SLF001 - Django's documented API
READ_PRODUCT = f"SELECT id, name, stock IS NOT NULL FROM {TABLE} WHERE id = %s AND retired_at IS NULL"  # noqa: S608


def read_product(product_id: int) -> tuple[dict[str, int | str], bool]:
    """Return what is shown of one product on sale, and whether its stock is tracked; raise Product.DoesNotExist.

    Counts the lookup.
    """
    row = None
    if product_id <= BigIntegerField.MAX_BIGINT:
        with connection.cursor() as cursor:
            cursor.execute(READ_PRODUCT, [product_id])
            row = cursor.fetchone()
    metrics.products_lookups_total.labels("found" if row else "not_found").inc()
    if row is None:
        raise Product.DoesNotExist
    return {"id": row[0], "name": row[1]}, bool(row[2])


def count_products(*, retired: bool) -> int:
    """Return how many products are on sale, or the retired ones too."""
    return (Product.objects.all() if retired else list_products()).count()


def exported_pages(*, retired: bool) -> Iterator[list[tuple[int, str]]]:
    """Yield id and name of the same products in the order of their ids, page by page.

    Each page is asked for by its ids alone: PostgreSQL takes a column that is null for rare until the table has been
    analyzed, as after a first seeding it has not, and would sort the whole table again for every page.
    """
    for page in batches.pages(Product.objects.values_list("id", "name", "retired_at")):
        yield [(key, name) for key, name, retired_at in page if retired or retired_at is None]


def is_on_sale(product_id: int) -> bool:
    """Tell whether a product is on sale; raise Product.DoesNotExist."""
    return Product.objects.values_list("retired_at", flat=True).get(pk=product_id) is None


def read_reservation(reservation_id: UUID) -> Reservation:
    """Return a reservation; raise Reservation.DoesNotExist."""
    return Reservation.objects.only("id", "product_id", "quantity", "status").get(pk=reservation_id)
