"""POST /orders: every case of the contract."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from ops.tests.clients import BROWSER, anonymous, customer, staff
from ops.tests.problem_shape import assert_problem
from orders_project.orders.models import MAX_ID, MAX_QUANTITY, Order
from orders_project.orders.tests.products_peer import orders_asks, products_peer

pytestmark = pytest.mark.django_db

NO_INTEGERS = [0, -1, 2**64, 10**400, "1", "", 1.0, 1.5, True, False, None, [], [1], {}, {"id": 1}]


@pytest.fixture(autouse=True)
def _products() -> Iterator[None]:
    with products_peer():
        yield


def place(product_id: Any = 1, quantity: Any = 2):
    return anonymous().post("/orders", {"productId": product_id, "quantity": quantity})


def test_an_order_of_a_product_that_exists_is_stored() -> None:
    answer = place()

    order = Order.objects.get()
    assert answer.status_code == 201
    assert (order.product_id, order.quantity, order.status) == (1, 2, "confirmed")
    assert answer.json() == {
        "id": order.pk,
        "productId": 1,
        "quantity": 2,
        "status": "confirmed",
        "createdAt": order.created_at.isoformat().replace("+00:00", "Z"),
    }


def test_the_products_name_is_kept_with_the_order_and_not_shown() -> None:
    answer = place(product_id=2)

    assert Order.objects.get().product_name == "Neutrino Keyboard"
    assert "Neutrino" not in answer.content.decode()


def test_the_answer_says_where_the_order_is() -> None:
    answer = place()

    assert answer.headers["Location"] == f"http://testserver/orders/{answer.json()['id']}"
    assert staff().get(answer.headers["Location"]).json() == answer.json()


def test_created_at_is_now_in_utc() -> None:
    created = place().json()["createdAt"]

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", created)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(created)) < timedelta(minutes=1)


@pytest.mark.parametrize("client", [anonymous, customer, staff])
def test_anyone_places_an_order(client) -> None:
    assert client().post("/orders", {"productId": 2, "quantity": 1}).status_code == 201


@pytest.mark.parametrize("quantity", [1, MAX_QUANTITY])
def test_quantities_within_the_limits_are_taken(quantity: int) -> None:
    assert place(quantity=quantity).json()["quantity"] == quantity


@pytest.mark.parametrize(
    ("member", "field", "said"),
    [
        ("status", "status", "it takes productId, quantity"),
        ("quantitiy", "quantitiy", "quantity may be meant"),
        ("product_id", "product_id", "productId may be meant"),
        ("t0ken", "non_field_errors", "it takes productId, quantity"),
        (r"\ud800", "non_field_errors", "it takes productId, quantity"),
    ],
)
def test_an_unknown_member_is_refused_with_the_one_that_may_be_meant(member: str, field: str, said: str) -> None:
    body = f'{{"{member}": 9, "productId": 1, "quantity": 2}}'
    answer = anonymous().generic("POST", "/orders", body, content_type="application/json")

    assert said in assert_problem(answer, 400, "validation_error", fields=[field])["errors"][0]["detail"]
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["productId", "quantity"]),
        ({"productId": 1}, ["quantity"]),
        ({"quantity": 1}, ["productId"]),
        ({"product_id": 1, "Quantity": 1}, ["productId", "quantity", "product_id", "Quantity"]),
        ({"productId": "x", "quantity": 0}, ["productId", "quantity"]),
    ],
)
def test_every_field_that_is_missing_or_wrong_is_named(body: dict[str, Any], fields: list[str]) -> None:
    assert_problem(anonymous().post("/orders", body), 400, "validation_error", fields=fields)


@pytest.mark.parametrize("value", [*NO_INTEGERS, MAX_ID + 1], ids=lambda value: repr(value)[:20])
def test_a_product_id_that_is_none_is_refused(value: Any) -> None:
    assert_problem(place(product_id=value), 400, "validation_error", fields=["productId"])
    assert not Order.objects.exists()


@pytest.mark.parametrize("value", [*NO_INTEGERS, MAX_QUANTITY + 1], ids=lambda value: repr(value)[:20])
def test_a_quantity_that_is_none_is_refused(value: Any) -> None:
    assert_problem(place(quantity=value), 400, "validation_error", fields=["quantity"])
    assert not Order.objects.exists()


@pytest.mark.parametrize("body", ["[]", "null", '"x"', "5", "true", "[{}]"])
def test_json_that_is_no_object_is_refused(body: str) -> None:
    answer = anonymous().post("/orders", data=body, content_type="application/json")

    assert_problem(answer, 400, "validation_error", fields=["non_field_errors"])


@pytest.mark.parametrize(
    "body", [b"{", b"productId=1", b"\xff", b'{"quantity": 1, "quantity": 1}', b"[" * 100_000, b"NaN"]
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    answer = anonymous().post("/orders", data=body, content_type="application/json")

    assert_problem(answer, 400, "parse_error")


def test_another_charset_is_refused() -> None:
    answer = anonymous().post("/orders", data=b"{}", content_type="application/json; charset=utf-16")

    assert_problem(answer, 400, "parse_error")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_another_media_type_is_not_supported(media_type: str) -> None:
    answer = anonymous().generic("POST", "/orders", '{"productId": 1, "quantity": 1}', content_type=media_type)

    assert_problem(answer, 415, "unsupported_media_type")


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=40)
def test_a_body_that_is_too_large_is_refused() -> None:
    answer = anonymous().post(
        "/orders", data=b'{"productId": 1, "quantity": 1}'.ljust(41), content_type="application/json"
    )

    assert_problem(answer, 413, "request_too_large")


@pytest.mark.parametrize("product_id", [3, MAX_ID])
def test_a_product_that_does_not_exist_is_refused_in_these_words(product_id: int) -> None:
    problem = assert_problem(place(product_id=product_id), 400, "product_does_not_exist")

    assert problem["detail"] == "Product does not exist"
    assert not Order.objects.exists()


def test_without_products_the_order_may_come_again_later() -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))  # and does not listen
        with orders_asks(f"http://127.0.0.1:{refusing.getsockname()[1]}"):
            answer = place()

    assert_problem(answer, 500, "products_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert not Order.objects.exists()


def test_a_browser_sees_the_same_refusal_as_a_page() -> None:
    answer = anonymous().post("/orders", {"productId": 3, "quantity": 1}, headers={"accept": BROWSER})

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "product_does_not_exist" in answer.content.decode()


def test_a_slash_at_the_end_is_another_path() -> None:
    assert_problem(anonymous().post("/orders/", {"productId": 1, "quantity": 1}), 404, "not_found")
