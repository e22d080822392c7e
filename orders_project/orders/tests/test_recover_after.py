"""The release that calls the column `settle_after` works beside this one during a rolling deploy on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from orders_project.orders.models import Order

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite knows no rolling deploy; see the migration"),
]

FIRST, LATER = datetime(2026, 11, 28, 7, tzinfo=UTC), datetime(2026, 11, 28, 8, tzinfo=UTC)
INSERT = (
    "INSERT INTO orders_order (product_id, quantity, status, reservation_id, leased, settle_after) "
    "VALUES (1, 1, 'pending', %s, true, %s) RETURNING id"
)
UPDATE = "UPDATE orders_order SET status = %s, leased = %s, settle_after = %s WHERE id = %s AND settle_after = %s"


def run(statement: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else [cursor.rowcount]


def old_value(order: Order) -> Any:
    return run("SELECT settle_after FROM orders_order WHERE id = %s", order.pk)[0][0]


def pending() -> Order:
    fields = {"status": "pending", "reservation_id": uuid4(), "leased": True, "recover_after": FIRST}
    return Order.objects.create(product_id=1, quantity=1, **fields)


def test_an_order_that_the_release_before_stores_is_recovered_by_this_one() -> None:
    ((key,),) = run(INSERT, uuid4(), FIRST)

    assert list(Order.objects.filter(recover_after__lte=timezone.now()).values_list("pk", flat=True)) == [key]


def test_an_order_that_this_release_stores_is_found_by_the_one_before() -> None:
    assert old_value(pending()) == FIRST


def test_a_lease_that_one_release_takes_is_seen_by_the_other() -> None:
    order = pending()

    assert Order.objects.filter(pk=order.pk, recover_after=FIRST).update(recover_after=LATER) == 1
    assert run(UPDATE, "pending", True, FIRST, order.pk, FIRST) == [0]
    assert run(UPDATE, "pending", True, FIRST, order.pk, LATER) == [1]
    assert not Order.objects.filter(pk=order.pk, recover_after=LATER).update(recover_after=LATER)


def test_an_order_that_either_release_confirms_is_done_for_both() -> None:
    ours, theirs = pending(), pending()

    Order.objects.filter(pk=ours.pk).update(status="confirmed", leased=None, recover_after=None)
    run(UPDATE, "confirmed", None, None, theirs.pk, FIRST)

    assert (old_value(ours), old_value(theirs)) == (None, None)
    assert not Order.objects.filter(recover_after__isnull=False).exists()
