"""Use cases that change or delete one product, safe beside other writers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from ops.api.preconditions import PreconditionFailed
from products_project.products.errors import ProductNotFound
from products_project.products.models import Product
from products_project.products.serializers import PRODUCT


def change_product(*, product: Product, changes: Mapping[str, Any], if_unchanged: bool) -> None:
    """Change a product on sale; raise ProductNotFound, or PreconditionFailed if it has changed since it was read."""
    if changes and not _row(product, if_unchanged=if_unchanged).update(**changes):
        raise PreconditionFailed if if_unchanged else ProductNotFound
    for name, value in changes.items():
        setattr(product, name, value)


def delete_product(*, product: Product, if_unchanged: bool) -> None:
    """Delete a product on sale; raise ProductNotFound, or PreconditionFailed if it has changed since it was read."""
    deleted, _ = _row(product, if_unchanged=if_unchanged).delete()
    if not deleted:
        raise PreconditionFailed if if_unchanged else ProductNotFound


def _row(product: Product, *, if_unchanged: bool) -> QuerySet[Product]:
    """Return the row of the product, if asked only as it was read: its own statement decides between two writers."""
    rows = Product.objects.filter(pk=product.pk, retired_at=None)
    return rows.filter(**{name: getattr(product, name) for name in PRODUCT.columns}) if if_unchanged else rows
