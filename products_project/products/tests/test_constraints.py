"""The database enforces the rules of the serializer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone

from products_project.products.models import Product, Reservation

pytestmark = pytest.mark.django_db


def test_a_product_without_a_name_is_refused() -> None:
    with pytest.raises(IntegrityError, match="product_name_not_empty"):
        Product.objects.create(name="")


def test_a_name_that_is_null_is_refused() -> None:
    with pytest.raises(IntegrityError):
        Product.objects.bulk_create([Product(name=None)])  # type: ignore[misc] # on purpose


def test_stock_below_zero_is_refused() -> None:
    product = Product.objects.create(name="Chair", stock=1)

    with pytest.raises(IntegrityError, match="stock"):
        Product.objects.filter(pk=product.pk).update(stock=F("stock") - 2)


HELD: dict[str, Any] = {"product_id": 1, "quantity": 1, "takes_stock": True}


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        (HELD | {"product_id": 0}, "product_id_positive"),
        (HELD | {"quantity": 0}, "quantity_in_range"),
        (HELD | {"quantity": 1_000_001}, "quantity_in_range"),
        (HELD | {"status": "sold"}, "status_consistent"),
        (HELD | {"status": "cancelled"}, "status_consistent"),
        (HELD | {"cancelled_at": timezone.now()}, "status_consistent"),
        ({}, "status_consistent"),
        ({"status": "cancelled", "cancelled_at": timezone.now(), "takes_stock": True}, "of_stock_whole"),
    ],
)
def test_a_reservation_that_makes_no_sense_is_refused(values: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=f"reservation_{constraint}"):
        Reservation.objects.create(**values)


def test_two_reservations_of_one_id_are_refused() -> None:
    Reservation.objects.create(id=UUID(int=1), **HELD)

    with pytest.raises(IntegrityError):
        Reservation.objects.create(id=UUID(int=1), **HELD)


def test_a_reservation_is_shown_by_its_id_and_status() -> None:
    assert str(Reservation(id=UUID(int=1), status="held")) == f"reservation {UUID(int=1)}: held"


def test_a_product_is_shown_by_its_name() -> None:
    assert str(Product(name="Quantum Laptop")) == "Quantum Laptop"
