"""Only staff read orders, and no client changes one."""

from __future__ import annotations

from typing import Any

import pytest

from ops.tests.clients import BROWSER, anonymous, customer, staff
from ops.tests.problem_shape import assert_problem
from orders_project.orders.models import Order

pytestmark = pytest.mark.django_db

MEMBERS = {"id", "productId", "quantity", "status", "createdAt"}


def make_orders(count: int) -> list[int]:
    return [
        Order.objects.create(product_id=1, quantity=number, status="confirmed").pk for number in range(1, count + 1)
    ]


def ids(page: dict[str, Any]) -> list[int]:
    return [item["id"] for item in page["results"]]


@pytest.mark.parametrize("path", ["/orders", "/orders/1"])
def test_nobody_in_particular_reads(path: str) -> None:
    assert_problem(anonymous().get(path), 401, "not_authenticated")


@pytest.mark.parametrize("path", ["/orders", "/orders/1"])
def test_a_user_who_is_no_staff_does_not_read(path: str) -> None:
    assert_problem(customer().get(path), 403, "permission_denied")


def test_staff_read_one() -> None:
    (order_id,) = make_orders(1)

    answer = staff().get(f"/orders/{order_id}")

    assert answer.status_code == 200
    assert set(answer.json()) == MEMBERS
    assert (answer.json()["id"], answer.json()["status"]) == (order_id, "confirmed")


@pytest.mark.parametrize("order_id", ["0", str(2**63), "9" * 400])
def test_an_order_that_does_not_exist_is_not_found(order_id: str) -> None:
    assert_problem(staff().get(f"/orders/{order_id}"), 404, "not_found")


def test_staff_read_all_in_pages_both_ways() -> None:
    made, client = make_orders(5), staff()

    first = client.get("/orders?page_size=3").json()
    make_orders(1)
    second = client.get(first["next"]).json()

    assert (ids(first), ids(second)[:2]) == (made[:3], made[3:])
    assert set(first["results"][0]) == MEMBERS
    assert ids(client.get(second["previous"]).json()) == made[:3]


@pytest.mark.parametrize(("query", "field"), [("cursor=x", "cursor"), ("page_size=0", "page_size")])
def test_a_bad_parameter_is_named(query: str, field: str) -> None:
    assert_problem(staff().get(f"/orders?{query}"), 400, "validation_error", fields=[field])


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/orders"), ("DELETE", "/orders"), ("PUT", "/orders/1"), ("PATCH", "/orders/1"), ("DELETE", "/orders/1")],
)
@pytest.mark.parametrize("client", [anonymous, staff])
def test_orders_are_not_changed_by_anyone(client, method: str, path: str) -> None:
    assert_problem(client().generic(method, path), 405, "method_not_allowed")


@pytest.mark.parametrize(("path", "status"), [("/orders", 200), ("/orders/0", 404)])
def test_staff_get_the_browsable_api_in_a_browser(path: str, status: int) -> None:
    answer = staff().get(path, headers={"accept": BROWSER})

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_head_answers_without_a_body() -> None:
    answer = staff().head("/orders")

    assert (answer.status_code, answer.content) == (200, b"")


def test_options_tells_anyone_how_to_order() -> None:
    answer = anonymous().options("/orders")

    assert answer.status_code == 200
    assert answer.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
