"""recover_orders resolves due orders, reports its work, and runs until a signal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from ops.telemetry.backlog import backlog
from ops.tests.run_command import run
from orders_project.orders import metrics, selectors
from orders_project.orders.management.commands import recover_orders
from orders_project.orders.management.commands.recover_orders import Command
from orders_project.orders.metrics import orders_recovered_total
from orders_project.orders.models import Order
from orders_project.orders.products_client import products_client
from orders_project.orders.recovery import due_orders, recover
from orders_project.orders.tests import stocked_products as peer
from orders_project.orders.tests.stocked_products import Stock, stocked_products
from orders_project.orders.tests.test_tracked_orders import (
    assert_nothing_is_left_over,
    let_time_pass,
    place,
    the_order,
)

pytestmark = pytest.mark.django_db(transaction=True)


def leave_pending(stock: Stock, *faults: peer.Fault) -> None:
    """Place an order for each fault, which leaves it pending and due."""
    stock.have("PUT", *faults)
    for _ in faults:
        assert place().status_code == 500


def test_it_settles_what_is_due_and_says_what_it_did() -> None:
    with stocked_products() as stock:
        leave_pending(stock, peer.done_and_cut, peer.done_and_500, peer.cut)
        place()

        code, output, _ = run(Command(), "--once")
        again, nothing, _ = run(Command(), "--once", "--json")

    assert (code, output) == (0, "2 confirmed, 1 rejected, 0 released, 0 postponed.\n")
    assert sorted(Order.objects.values_list("status", flat=True)) == ["confirmed", "confirmed", "confirmed", "rejected"]
    assert again == 0
    assert json.loads(nothing)["counts"] == {"confirmed": 0, "rejected": 0, "released": 0, "postponed": 0}
    assert_nothing_is_left_over(stock)


def test_it_counts_what_it_did() -> None:
    before = {outcome: counted(outcome) for outcome in ("confirmed", "rejected")}
    with stocked_products() as stock:
        leave_pending(stock, peer.done_and_cut, peer.cut)

        run(Command(), "--once")

    assert {outcome: counted(outcome) - count for outcome, count in before.items()} == {"confirmed": 1, "rejected": 1}


def counted(outcome: str) -> float:
    return float(orders_recovered_total.labels(outcome)._value.get())


def test_an_order_that_a_request_still_works_at_is_left_to_it() -> None:
    with stocked_products() as stock:
        stock.have("PUT", peer.cut)
        place("k")

        assert run(Command(), "--once")[1] == "0 confirmed, 0 rejected, 0 released, 0 postponed.\n"

    assert the_order().status == "pending"


@pytest.mark.parametrize(
    "fault",
    [peer.cut, peer.done_and_garbage, peer.says(500, b"{}"), peer.says(401, b"{}"), peer.says(404, b"<h1>no</h1>")],
    ids=["cut", "garbage", "500", "401", "404 of a proxy"],
)
def test_while_products_gives_no_answer_the_order_waits(fault: peer.Fault) -> None:
    with stocked_products() as stock:
        leave_pending(stock, peer.done_and_cut)
        stock.have("GET", fault)

        code, _, errors = run(Command(), "--once")

        assert (code, errors) == (1, "0 confirmed, 0 rejected, 0 released, 1 postponed.\n")
        assert (the_order().status, the_order().leased) == ("pending", False)
        let_time_pass()
        assert run(Command(), "--once")[0] == 0
    assert_nothing_is_left_over(stock)


def test_a_release_without_an_answer_is_tried_again() -> None:
    with stocked_products() as stock:
        leave_pending(stock, peer.cut)
        stock.have("DELETE", peer.done_and_cut)

        assert run(Command(), "--once")[0] == 1
        assert the_order().status == "rejected"

        let_time_pass()
        assert run(Command(), "--once")[1] == "0 confirmed, 0 rejected, 1 released, 0 postponed.\n"
    assert_nothing_is_left_over(stock)


def test_a_reservation_of_something_else_is_neither_confirmed_nor_given_back() -> None:
    with stocked_products() as stock:
        leave_pending(stock, peer.done_and_cut)
        stock.reservations[str(the_order().reservation_id)].wanted["quantity"] = 5

        assert run(Command(), "--once")[1] == "0 confirmed, 1 rejected, 0 released, 0 postponed.\n"

    assert (the_order().rejection, stock.held()) == ("order_expired", 5)


def test_a_cancelled_reservation_rejects_its_order() -> None:
    with stocked_products() as stock:
        leave_pending(stock, peer.done_and_cut)
        stock.reservations[str(the_order().reservation_id)].status = "cancelled"

        assert run(Command(), "--once")[1] == "0 confirmed, 1 rejected, 0 released, 0 postponed.\n"

    assert stock.asked == ["GET", "PUT", "GET"]


@pytest.mark.parametrize(("age", "shortest", "longest"), [(0, 0.5, 1), (8, 4, 8.5), (3600, 15, 30)])
def test_the_pauses_double_up_to_a_limit(age: int, shortest: float, longest: float) -> None:
    with stocked_products() as stock:
        leave_pending(stock, peer.cut)
        created = timezone.now() - timedelta(seconds=age)
        Order.objects.update(created_at=created)
        stock.have("GET", peer.cut)
        before = timezone.now()

        assert [recover(order) for order in due_orders()] == ["postponed"]

    recover_after = the_order().recover_after
    assert recover_after
    pause = (recover_after - before).total_seconds()
    assert shortest <= pause <= longest + (timezone.now() - before).total_seconds()


@pytest.mark.parametrize("status", ["pending", "rejected"])
def test_of_two_that_see_the_same_order_one_takes_it(status: str) -> None:
    with stocked_products() as stock:
        leave_pending(stock, peer.done_and_cut)
        if status == "rejected":
            Order.objects.update(status=status, rejection="out_of_stock", available=0)
        (first,), (second,) = due_orders(), due_orders()

        assert recover(first) == ("confirmed" if status == "pending" else "released")
        assert recover(second) is None

    assert stock.asked.count("DELETE") == (status == "rejected")
    assert_nothing_is_left_over(stock)


@pytest.mark.parametrize(
    ("fault", "state"), [(peer.done_and_cut, "held"), (peer.cut, "unknown"), (peer.done_and_cut, "cancelled")]
)
def test_what_was_settled_while_it_asked_stays_so(fault: peer.Fault, state: str) -> None:
    """Its lease ended while products was slow."""
    with stocked_products() as stock:
        leave_pending(stock, fault)
        order = the_order()
        if state == "cancelled":
            stock.reservations[str(order.reservation_id)].status = state
        products: Any = products_client()
        find = products.find_reservation

        def find_slowly(*args, **kwargs):
            found = find(*args, **kwargs)
            Order.objects.update(status="rejected", rejection="out_of_stock", available=0, recover_after=None)
            return found

        products.find_reservation = find_slowly
        before = metrics.orders_created_total._value.get()

        assert recover(order, products) is None

    assert (the_order().rejection, metrics.orders_created_total._value.get()) == ("out_of_stock", before)
    assert "DELETE" not in stock.asked


@contextmanager
def stopping_after(command: Command, pauses: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Skip the command's pauses; the last of this number sends a signal."""
    seen: list[bool] = []

    def pause(seconds: float) -> None:
        seen.append(command.stopping)
        command.stopping = len(seen) == pauses

    monkeypatch.setattr(command, "pause", pause)
    yield seen


def test_it_goes_on_until_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    command = Command()
    with stocked_products() as stock, stopping_after(command, 3, monkeypatch) as pauses:
        leave_pending(stock, peer.done_and_cut)

        code, output, _ = run(command)

    assert (code, output) == (0, "1 confirmed, 0 rejected, 0 released, 0 postponed.\n")
    assert pauses == [False, False, False]


def test_a_signal_ends_it_after_the_order_in_hand() -> None:
    command = Command()
    with stocked_products() as stock:
        leave_pending(stock, peer.done_and_cut, peer.done_and_cut)

        def stop(wire, act) -> None:
            command.stopping = True
            peer.answer(wire, act())

        stock.have("GET", stop)
        assert run(command)[1] == "1 confirmed, 0 rejected, 0 released, 0 postponed.\n"

    assert Order.objects.filter(status="pending").count() == 1


def test_a_database_that_fails_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[Order]:
        raise OperationalError("the server closed\nthe connection")

    closed: list[bool] = []
    monkeypatch.setattr(connection, "close", lambda: closed.append(True))
    monkeypatch.setattr(recover_orders, "due_orders", fail)
    command = Command()
    with stopping_after(command, 2, monkeypatch):
        assert run(command)[0] == 0

    assert closed == [True, True]
    assert run(Command(), "--once")[0] == 1


def test_the_backlog_is_counted_and_its_age_known() -> None:
    assert (selectors.orders_pending(), selectors.oldest_pending_age_seconds()) == (0, 0)
    with stocked_products() as stock:
        leave_pending(stock, peer.cut, peer.cut)
        place()
    Order.objects.filter(pk=due_orders()[0].pk).update(created_at=timezone.now() - timedelta(hours=1))

    assert selectors.orders_pending() == 2
    assert 3600 <= selectors.oldest_pending_age_seconds() < 3700
    gauges = {gauge.name for gauge in backlog.declared()}
    assert {"orders_pending", "orders_oldest_pending_age_seconds"} <= gauges
