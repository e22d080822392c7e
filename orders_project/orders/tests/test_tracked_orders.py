"""Orders of tracked products: pending, then confirmed or rejected, also with lost answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from ops.tests.clients import anonymous
from ops.tests.problem_shape import assert_problem
from orders_project.config import OrdersConfig
from orders_project.orders import lifecycle, metrics
from orders_project.orders.errors import OutOfStock
from orders_project.orders.models import Order
from orders_project.orders.products_client import products_client
from orders_project.orders.recovery import due_orders, recover
from orders_project.orders.serializers import ORDER
from orders_project.orders.tests import stocked_products as peer
from orders_project.orders.tests.stocked_products import IMPATIENT, PATIENT, Stock, stocked_products

pytestmark = pytest.mark.django_db(transaction=True)

LOST: dict[str, peer.Fault] = {  # the reservation is made, and orders does not hear of it
    "cut": peer.done_and_cut,
    "silent": peer.done_and_silent,
    "garbage": peer.done_and_garbage,
    "500": peer.done_and_500,
    "truncated": peer.done_and_truncated,
}
NOT_MADE: dict[str, peer.Fault] = {  # products does not reserve, and orders cannot know that
    "cut before": peer.cut,
    "silent before": peer.silent,
    "401": peer.says(401, b'{"code": "not_authenticated"}'),
    "404 of a proxy": peer.says(404, b"<h1>no route</h1>"),
    "404 of another service": peer.says(404, b'{"detail": "Not Found"}'),
    "409 without a code": peer.says(409, b"{}"),
    "409 that is a list": peer.says(409, b"[]"),
    "409 without what is left": peer.says(409, b'{"code": "out_of_stock"}'),
    "409 with less than nothing left": peer.says(409, b'{"code": "out_of_stock", "available": -1}'),
    "409 with true left": peer.says(409, b'{"code": "out_of_stock", "available": true}'),
    "503": peer.says(503, b"{}"),
    "another reservation": peer.says(
        200,
        b'{"id": "00000000-0000-0000-0000-000000000000", "productId": 1, "quantity": 2, "status": "held"}',
    ),
    "no reservation": peer.says(200, b'{"id": 1, "productId": 1, "quantity": 2, "status": "held"}'),
    "nested deep": peer.says(201, b"[" * 60_000),
}


def patience(fault: str) -> dict[str, Any]:
    return IMPATIENT if "silent" in fault else PATIENT


def place(key: str | None = None, quantity: int = 2, product_id: int = 1):
    headers = {} if key is None else {"Idempotency-Key": key}
    return anonymous().post("/orders", {"productId": product_id, "quantity": quantity}, headers=headers)


def let_time_pass() -> None:
    """End every lease and every pause."""
    Order.objects.filter(recover_after__isnull=False).update(recover_after=timezone.now() - timedelta(seconds=1))


def recover_all() -> list[str | None]:
    let_time_pass()
    return [recover(order) for order in due_orders()]


def the_order() -> Order:
    return Order.objects.get()


def created() -> Any:
    return metrics.orders_created_total._value.get()


def assert_nothing_is_left_over(stock: Stock, *, of: int = 10) -> None:
    """Held pieces equal confirmed pieces, and no work is left."""
    confirmed = sum(Order.objects.filter(status="confirmed").values_list("quantity", flat=True))
    assert not Order.objects.exclude(recover_after=None).exists()
    assert (stock.held(), stock.stock[1]) == (confirmed, of - confirmed)


def test_an_order_is_confirmed_once_its_stock_is_reserved() -> None:
    with stocked_products() as stock:
        before = created()

        answer = place()

    order = the_order()
    assert answer.status_code == 201
    assert answer.json()["status"] == order.status == "confirmed"
    assert set(stock.reservations) == {str(order.reservation_id)}
    assert stock.asked == ["GET", "PUT"]
    assert created() == before + 1
    assert_nothing_is_left_over(stock)


def test_a_product_without_tracked_stock_costs_no_further_call() -> None:
    with stocked_products() as stock:
        assert place(product_id=2).status_code == 201

    assert stock.asked == ["GET"]
    assert the_order().reservation_id is None


def test_where_less_is_left_the_order_is_rejected_for_good() -> None:
    with stocked_products(Stock({1: 3})) as stock:
        first = place("k", quantity=4)
        stock.stock[1] = 10
        again = place("k", quantity=4)

    for answer in (first, again):
        assert assert_problem(answer, 409, "out_of_stock", members=("available",))["available"] == 3
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert the_order().status == "rejected"
    assert stock.asked == ["GET", "PUT"]
    assert_nothing_is_left_over(stock)


def test_a_product_that_is_retired_between_the_two_calls_does_not_exist() -> None:
    with stocked_products() as stock:
        stock.have("PUT", peer.says(404, b'{"code": "not_found"}'))
        first, again = place("k"), place("k")

    assert_problem(first, 400, "product_does_not_exist")
    assert_problem(again, 400, "product_does_not_exist")
    assert again["Idempotency-Replayed"] == "true"
    assert_nothing_is_left_over(stock)


@pytest.mark.parametrize("said", [(409, "reservation_cancelled"), (422, "reservation_reused")], ids=["409", "422"])
def test_a_reservation_that_cannot_be_made_any_more_expires_the_order(said: tuple[int, str]) -> None:
    with stocked_products() as stock:
        stock.have("PUT", peer.says(said[0], b'{"code": "%s"}' % said[1].encode()))
        answer = place()

    assert_problem(answer, 409, "order_expired")
    assert the_order().status == "rejected"
    assert_nothing_is_left_over(stock)


@pytest.mark.parametrize("fault", LOST | NOT_MADE)
def test_without_an_answer_the_order_is_pending_and_a_retry_resumes(fault: str) -> None:
    with stocked_products(**patience(fault)) as stock:
        stock.have("PUT", (LOST | NOT_MADE)[fault])

        unknown = place("k")

        assert_problem(unknown, 500, "products_unavailable")
        assert unknown["Retry-After"] == "1"
        assert the_order().status == "pending"

        answer = place("k")

    assert answer.status_code == 201
    assert answer.json()["id"] == the_order().pk
    assert "Idempotency-Replayed" not in answer
    assert stock.asked == ["GET", "PUT", "PUT"]
    assert_nothing_is_left_over(stock)


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("fault", LOST)
def test_what_was_reserved_without_an_answer_is_confirmed_later(fault: str, key: str | None) -> None:
    with stocked_products(**patience(fault)) as stock:
        stock.have("PUT", LOST[fault])
        assert_problem(place(key), 500, "products_unavailable")
        before = created()

        assert recover_all() == ["confirmed"]

        assert created() == before + 1
        assert recover_all() == []
        assert key is None or place(key).json() == ORDER.show(the_order())
    assert_nothing_is_left_over(stock)


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("fault", ["cut before", "503", "404 of a proxy"])
def test_what_was_not_reserved_expires_and_is_refused_from_then_on(fault: str, key: str | None) -> None:
    with stocked_products(**patience(fault)) as stock:
        stock.have("PUT", NOT_MADE[fault])
        assert_problem(place(key), 500, "products_unavailable")

        assert recover_all() == ["rejected"]

        order = the_order()
        assert order.reservation_id
        late = products_client().reserve(order.reservation_id, product_id=1, quantity=2)
        assert late.state == "cancelled"
        if key:
            assert_problem(place(key), 409, "order_expired")
    assert (order.status, order.rejection) == ("rejected", "order_expired")
    assert_nothing_is_left_over(stock)


def test_nobody_waits_for_a_client_without_a_key() -> None:
    with stocked_products() as stock:
        stock.have("PUT", peer.cut, peer.cut)
        place()
        place("k")

        assert [order.idempotency_key for order in due_orders()] == [None]


def test_while_one_request_works_at_it_another_one_is_told_to_wait() -> None:
    answers = []

    with stocked_products() as stock:

        def meanwhile(wire, act) -> None:
            answers.append(place("k"))
            answers.append(place("k", quantity=1))
            peer.answer(wire, act())

        stock.have("PUT", _in_this_database(meanwhile))
        assert place("k").status_code == 201

    assert_problem(answers[0], 409, "request_in_progress")
    assert answers[0]["Retry-After"] == "1"
    assert_problem(answers[1], 422, "idempotency_key_reused")
    assert_nothing_is_left_over(stock)


def _in_this_database(fault: peer.Fault) -> peer.Fault:
    """Let a fault, which runs in the peer's thread, use this thread's connection, which waits for the answer."""
    database = connections["default"]
    database.inc_thread_sharing()

    def run(wire: Any, act: Any) -> None:
        before = connections["default"]
        connections["default"] = database
        try:
            fault(wire, act)
        finally:
            connections["default"] = before

    return run


def test_a_lease_that_ran_out_is_taken_over_and_the_first_request_finds_what_was_settled() -> None:
    with stocked_products() as stock:

        def meanwhile(wire, act) -> None:
            assert recover_all() == ["rejected"]
            peer.answer(wire, act())  # the tombstone refuses it

        stock.have("PUT", _in_this_database(meanwhile))
        answer = place("k")

    assert_problem(answer, 409, "order_expired")
    assert stock.asked == ["GET", "PUT", "GET", "DELETE"]
    assert_nothing_is_left_over(stock)


def test_a_reservation_that_is_made_while_its_order_is_given_up_is_given_back() -> None:
    """recover_orders found no reservation; before it releases, the late request is applied."""
    with stocked_products() as stock:

        def meanwhile(wire, act) -> None:
            said = []

            def reserve_late(wire, release) -> None:
                said.append(act())
                peer.answer(wire, release())

            stock.have("DELETE", reserve_late)
            assert recover_all() == ["rejected"]
            peer.answer(wire, said[0])  # 201, held

        stock.have("PUT", _in_this_database(meanwhile))
        answer = place("k")

    assert_problem(answer, 409, "order_expired")
    assert_nothing_is_left_over(stock)


def test_out_of_stock_after_a_lost_request_gives_back_what_that_one_may_reserve_yet() -> None:
    with stocked_products(Stock({1: 1})) as stock:
        stock.have("PUT", peer.cut)
        assert_problem(place("k"), 500, "products_unavailable")
        assert_problem(place("k"), 409, "out_of_stock", members=("available",))
        order = the_order()
        stock.stock[1] = 10
        stock.reserve(str(order.reservation_id), {"productId": 1, "quantity": 2}, None)  # the first one arrives

        assert recover_all() == ["released"]

        assert_problem(place("k"), 409, "out_of_stock", members=("available",))
    assert_nothing_is_left_over(stock)


def test_out_of_stock_at_the_second_try_gives_back_what_the_first_may_reserve_yet() -> None:
    with stocked_products(Stock({1: 1}), products_max_tries=2) as stock:
        stock.have("PUT", peer.cut)
        assert_problem(place(), 409, "out_of_stock", members=("available",))

        assert recover_all() == ["released"]

    assert stock.asked == ["GET", "PUT", "PUT", "DELETE"]


def test_out_of_stock_after_the_lease_was_taken_over_is_no_certainty() -> None:
    with stocked_products(Stock({1: 1})) as stock:

        def meanwhile(wire, act) -> None:
            let_time_pass()
            stock.have("PUT", peer.cut)
            assert_problem(place("k"), 500, "products_unavailable")
            peer.answer(wire, act())

        stock.have("PUT", _in_this_database(meanwhile))
        assert_problem(place("k"), 409, "out_of_stock", members=("available",))

        assert recover_all() == ["released"]


@pytest.mark.parametrize("status", ["confirmed", "rejected"])
def test_what_is_settled_is_not_settled_otherwise(status: str) -> None:
    with stocked_products() as stock:
        stock.have("PUT", peer.cut)
        place()
    order = the_order()
    seen = the_order()
    if status == "confirmed":
        assert lifecycle.confirm(order)
    else:
        assert lifecycle.reject(order, OutOfStock.code, available=0, release_after=None)
    before = created()

    assert not lifecycle.confirm(seen)
    assert not lifecycle.reject(seen, OutOfStock.code, release_after=None)
    assert not lifecycle.claim(seen, for_retry=True)

    assert (the_order().status, created()) == (status, before)


def test_the_connection_to_products_is_the_services_own() -> None:
    with stocked_products(service_token="another-token-0123456789-abcdefghijkl") as stock:
        assert_problem(place(), 500, "products_unavailable")

    assert stock.reservations == {}


def test_no_transaction_is_open_while_stock_is_reserved() -> None:
    database = connections["default"]
    with stocked_products() as stock:
        seen = []

        def look(wire, act) -> None:
            seen.append(database.in_atomic_block)
            peer.answer(wire, act())

        stock.have("PUT", look)

        assert place().status_code == 201

    assert seen == [False]


def test_a_lease_outlasts_the_call_that_it_is_for() -> None:
    found = OrdersConfig.read({"PRODUCTS_DEADLINE": "5", "ORDER_LEASE": "5"})

    assert found.faults == {"ORDER_LEASE": "must be longer than PRODUCTS_DEADLINE"}


def test_a_request_may_not_wait_for_a_thread_until_the_deadline_of_products() -> None:
    found = OrdersConfig.read({"WEB_QUEUE_TIMEOUT": "3", "PRODUCTS_DEADLINE": "3"})

    assert found.faults == {"PRODUCTS_DEADLINE": "must be longer than WEB_QUEUE_TIMEOUT"}
