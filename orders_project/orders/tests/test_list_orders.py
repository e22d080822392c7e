"""Staff filter orders by status, product and time, and sort them by time or id, through indexes."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import connection

from ops.tests.clients import staff
from ops.tests.problem_shape import assert_problem
from orders_project.orders import selectors
from orders_project.orders.models import Order

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
# The time of each order in minutes after START, in the order of ids: the two orders differ.
ORDERS = [(30, 1, "confirmed"), (10, 2, "rejected"), (20, 1, "rejected"), (40, 2, "confirmed"), (0, 1, "confirmed")]
MANY = """
    INSERT INTO orders_order (product_id, quantity, status, rejection, created_at)
    SELECT 1 + n % 1000, 1, CASE WHEN n % 500 = 0 THEN 'rejected' ELSE 'confirmed' END,
        CASE WHEN n % 500 = 0 THEN 'out_of_stock' END, timestamptz '2026-11-20 09:00Z' + n * interval '1 second'
    FROM generate_series(1, 30000) n
"""


@pytest.fixture
def orders() -> None:
    for minutes, product, status in ORDERS:
        reason = "out_of_stock" if status == "rejected" else None
        moment = START + timedelta(minutes=minutes)
        Order.objects.create(
            product_id=product, quantity=minutes + 1, status=status, rejection=reason, created_at=moment
        )


def minutes_of(url: str) -> list[int]:
    """Return the minutes of the orders on all pages."""
    seen, client = [], staff()
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, answer.content
        seen += [item["quantity"] - 1 for item in answer.json()["results"]]
        url = answer.json()["next"]
    return seen


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize("size", [1, 2, 50])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [30, 10, 20, 40, 0]),
        ("ordering=-id", [0, 40, 20, 10, 30]),
        ("ordering=createdAt", [0, 10, 20, 30, 40]),
        ("ordering=-createdAt", [40, 30, 20, 10, 0]),
        ("status=rejected", [10, 20]),
        ("productId=1", [30, 20, 0]),
        ("productId=1&ordering=-createdAt", [30, 20, 0]),
        ("productId=2&status=confirmed", [40]),
        ("productId=9", []),
        ("since=2026-11-20T09:10:00Z", [10, 20, 30, 40]),
        ("until=2026-11-20T09:10:00Z", [0]),
        ("since=2026-11-20T10:10:00%2B01:00&until=2026-11-20T09:30:00Z&ordering=-createdAt", [20, 10]),
        ("since=2026-11-20T09:10:00Z&ordering=id", [30, 10, 20, 40]),
    ],
)
def test_the_list_is_filtered_and_sorted_on_each_page(query: str, found: list[int], size: int) -> None:
    assert minutes_of(f"/orders?{query}&page_size={size}") == found


def test_orders_of_one_moment_are_on_their_pages_once() -> None:
    for number in range(7):
        Order.objects.create(product_id=1, quantity=number + 1, status="confirmed", created_at=START)

    assert minutes_of("/orders?ordering=-createdAt&page_size=2") == [6, 5, 4, 3, 2, 1, 0]


@pytest.mark.usefixtures("orders")
def test_the_way_back_shows_the_same_pages() -> None:
    client = staff()
    first = client.get("/orders?ordering=-createdAt&page_size=2").json()
    second = client.get(first["next"]).json()

    assert client.get(second["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *((f"status={value}", "status") for value in ("", "open", "CONFIRMED", "confirmed,rejected", "%00")),
        *((f"productId={value}", "productId") for value in ("", "0", "-1", "x", "1.0", "1_0", "%2B1", "٣", 2**63)),
        *(
            (f"{name}={value}", name)
            for name in ("since", "until")
            for value in (
                "",
                "now",
                "2026-11-20",
                "2026-11-20T09:00:00",
                "2026-W47-5",
                "2026-11-31T00:00:00Z",
                "1",
                "0001-01-01T00:00:00%2B14:00",
                "%00",
            )
        ),
        ("since=2026-11-20T09:00:00Z&until=2026-11-20T09:00:00Z", "until"),
        *((f"ordering={value}", "ordering") for value in ("", "quantity", "created_at", "--id", "id,createdAt")),
        ("cursor=cD0yMDI2&ordering=createdAt", "cursor"),  # p=2026
        ("cursor=bz0xMDAw&ordering=createdAt", "cursor"),  # o=1000
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_parameter(query: str, field: str) -> None:
    assert_problem(staff().get(f"/orders?{query}"), 400, "validation_error", fields=[field])


def test_the_cursor_of_another_ordering_is_refused(orders: None) -> None:
    by_time = staff().get("/orders?ordering=createdAt&page_size=1").json()["next"]

    answer = staff().get(by_time.replace("ordering=createdAt", "ordering=id"))

    assert_problem(answer, 400, "validation_error", fields=["cursor"])


@pytest.mark.parametrize(
    "position", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-28T00:00:00", "2026-W01-1"]
)
def test_a_cursor_of_a_moment_that_no_link_has_is_refused(position: str) -> None:
    cursor = b64encode(urlencode({"p": position}).encode()).decode()

    answer = staff().get("/orders", {"ordering": "createdAt", "cursor": cursor})

    assert_problem(answer, 400, "validation_error", fields=["cursor"])


def test_a_refusal_does_not_repeat_the_value() -> None:
    query = "&".join(f"{name}={quote('k4n4ry')}" for name in ("status", "productId", "since", "until", "ordering"))

    answer = staff().get(f"/orders?{query}")

    assert b"k4n4ry" not in answer.content


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "order_created_at"),
        ({"since": START + timedelta(hours=8)}, "order_created_at"),
        ({"status": "confirmed"}, "order_created_at"),
        ({"status": "rejected"}, "order_unconfirmed_created_at"),
        ({"product_id": 5}, "order_product_created_at"),
        ({"product_id": 5, "status": "confirmed", "since": START}, "order_product_created_at"),
    ],
)
@pytest.mark.parametrize("ordering", [("created_at", "pk"), ("-created_at", "-pk")])
def test_postgresql_reads_a_page_through_an_index(
    wanted: dict[str, Any], index: str, ordering: tuple[str, str]
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("the plan of PostgreSQL")
    with connection.cursor() as cursor:
        cursor.execute(MANY)
        cursor.execute("ANALYZE orders_order")

    plan = selectors.matching_orders(Order.objects.all(), **wanted).order_by(*ordering)[:51].explain()

    assert index in plan
    assert "Seq Scan" not in plan
