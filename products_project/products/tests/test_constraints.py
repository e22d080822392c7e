"""The database itself keeps what the serializer promises."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from products_project.products.models import Product

pytestmark = pytest.mark.django_db


def test_a_product_without_a_name_is_refused() -> None:
    with pytest.raises(IntegrityError, match="product_name_not_empty"):
        Product.objects.create(name="")


def test_a_name_that_is_null_is_refused() -> None:
    with pytest.raises(IntegrityError):
        Product.objects.bulk_create([Product(name=None)])  # type: ignore[misc] # on purpose


def test_a_product_is_shown_by_its_name() -> None:
    assert str(Product(name="Quantum Laptop")) == "Quantum Laptop"
