"""The database enforces the rules of the serializer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection

from orders_project.orders.models import MAX_QUANTITY, Order
from orders_project.orders.tests.made_orders import START

pytestmark = pytest.mark.django_db

SOUND = {"product_id": 1, "quantity": 1, "status": "confirmed"}


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"product_id": 0}, "order_product_id_positive"),
        ({"product_id": -1}, "order_product_id_positive"),
        ({"quantity": 0}, "order_quantity_in_range"),
        ({"quantity": MAX_QUANTITY + 1}, "order_quantity_in_range"),
        ({"status": "paid"}, "order_status_known"),
        ({"status": ""}, "order_status_known"),
        ({"status": "pending"}, "order_pending_is_settled"),
        ({"status": "pending", "reservation_id": UUID(int=1)}, "order_pending_is_settled"),
        ({"status": "pending", "recover_after": START}, "order_pending_is_settled"),
        ({"status": "rejected"}, "order_rejected_for_a_reason"),
        ({"rejection": "out_of_stock"}, "order_rejected_for_a_reason"),
        ({"idempotency_key": "k"}, "order_key_has_a_payload"),
        ({"payload_hash": "0"}, "order_key_has_a_payload"),
    ],
)
def test_what_bypasses_the_serializer_is_refused(wrong: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        Order.objects.create(**SOUND | wrong)


def test_a_key_is_of_one_order() -> None:
    Order.objects.create(**SOUND, idempotency_key="k", payload_hash="0")

    with pytest.raises(IntegrityError, match="order_key_of_owner_unique"):
        Order.objects.create(**SOUND, idempotency_key="k", payload_hash="1")


def test_an_update_is_held_to_them_too() -> None:
    order = Order.objects.create(**SOUND)

    with pytest.raises(IntegrityError, match="order_quantity_in_range"):
        Order.objects.filter(pk=order.pk).update(quantity=0)


def test_a_release_that_knows_no_status_no_time_and_no_products_name_can_still_insert() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders_order (product_id, quantity) VALUES (1, 2)")

    order = Order.objects.get()
    assert order.status == "confirmed"
    assert order.created_at.tzinfo is not None
    assert order.product_name is None


def test_an_order_is_shown_by_what_it_is() -> None:
    assert str(Order(pk=7, product_id=1, quantity=2)) == "order 7: 2 of product 1"
