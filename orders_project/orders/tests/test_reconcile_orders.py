"""reconcile_orders checks each product once and reports differences between orders and products."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.db import connections
from django.utils import timezone

from ops.tests.run_command import run
from orders_project.orders.management.commands.reconcile_orders import Command
from orders_project.orders.reconciliation import LISTED
from orders_project.orders.tests import scripted_products as peers
from orders_project.orders.tests.scripted_products import ScriptedProducts, Wire, no_such_product, orders_asking
from orders_project.orders.tests.stored_orders import store_orders, store_unsettled

pytestmark = pytest.mark.django_db(transaction=True)

LAST_PRODUCT = 500  # that the peer knows


@pytest.fixture
def asked() -> Iterator[list[int]]:
    """Let orders call a products that gives every product the same name, and records its requests."""
    asked: list[int] = []

    def answer(wire: Wire) -> None:
        asked.append(wire.product_id)
        if wire.product_id <= LAST_PRODUCT:
            wire.answer_product()
        else:
            no_such_product(wire)

    with ScriptedProducts(answer) as peer, orders_asking(peer.url):
        yield asked


def reconcile(*options: str) -> tuple[object, str, str]:
    return run(Command(), "--rate", "1000", *options)


def test_without_orders_there_is_nothing_to_ask(asked: list[int]) -> None:
    assert reconcile() == (0, "Asked about 0 products: 0 missing, 0 renamed.\n", "")
    assert asked == []


def test_each_product_is_asked_about_once_however_many_orders_name_it(asked: list[int]) -> None:
    for product_id in (7, 3, 500):
        store_orders(20, product_id=product_id)

    assert reconcile() == (0, "Asked about 3 products: 0 missing, 0 renamed.\n", "")
    assert asked == [3, 7, 500]


def test_orders_of_products_that_are_gone_or_renamed_are_reported_with_their_number(asked: list[int]) -> None:
    store_orders(2, product_id=1)
    store_orders(3, product_id=2, product_name="Old")
    store_orders(1, product_id=2, product_name="Older")
    store_orders(4, product_id=900, product_name=None)

    code, output, errors = reconcile()

    assert (code, output) == (1, "")
    assert errors.splitlines() == [
        "Asked about 3 products: 1 missing, 1 renamed.",
        "  product 2 was 'Old' and is now 'Quantum Laptop': 3 orders",
        "  product 2 was 'Older' and is now 'Quantum Laptop': 1 order",
        "  product 900 no longer exists: 4 orders",
    ]


def test_orders_from_before_names_were_kept_are_not_reported_as_renamed(asked: list[int]) -> None:
    store_orders(5, product_name=None)

    assert reconcile()[0] == 0


def test_json_holds_the_findings_for_a_ticket(asked: list[int]) -> None:
    store_orders(3, product_id=2, product_name="Old")
    store_orders(4, product_id=900)

    document = json.loads(reconcile("--json")[1])

    assert document["outcome"] == "failed"
    assert document["counts"] == {"products": 2, "missing": 1, "renamed": 1, "orders": 7, "findings": 2}
    assert document["findings"] == [
        {"finding": "renamed", "productId": 2, "orders": 3, "was": "Old", "now": "Quantum Laptop"},
        {"finding": "missing", "productId": 900, "orders": 4, "was": None, "now": None},
    ]
    assert document["after"] == 900


def test_however_much_is_found_a_bounded_part_is_listed_and_all_is_counted(asked: list[int]) -> None:
    for number in range(LISTED + 30):
        store_orders(1, product_id=1 + number % 40, product_name=f"Name {number}")

    document = json.loads(reconcile("--json")[1])

    assert document["counts"] == {"products": 40, "missing": 0, "renamed": 40, "orders": 130, "findings": 130}
    assert len(document["findings"]) == LISTED
    assert len(document["problems"]) == LISTED + 1
    assert document["problems"][-1] == "and 30 more"


def test_a_name_cannot_write_to_the_terminal(asked: list[int]) -> None:
    store_orders(1, product_name="\x1b[2J\nAsked about 9 products")

    _, _, errors = reconcile()

    assert "\x1b" not in errors
    assert errors.count("\n") == 2


def test_it_goes_on_where_a_limited_run_ended(asked: list[int]) -> None:
    for product_id in (1, 2, 3):
        store_orders(1, product_id=product_id)

    assert reconcile("--limit", "2")[1] == "Asked about 2 products: 0 missing, 0 renamed. Go on with --after 2.\n"
    assert reconcile("--after", "2")[1] == "Asked about 1 product: 0 missing, 0 renamed.\n"
    assert asked == [1, 2, 3]


def test_with_since_only_orders_from_then_on_count(asked: list[int]) -> None:
    store_orders(2, product_id=1, product_name="Old", age=timedelta(days=9))
    store_orders(2, product_id=2, product_name="Old", age=timedelta(days=9))
    store_orders(1, product_id=2, product_name="Old")

    document = json.loads(reconcile("--json", "--since", f"{timezone.now() - timedelta(days=5):%Y-%m-%d}")[1])

    assert asked == [2]
    assert document["counts"]["orders"] == 1


def test_it_asks_no_faster_than_the_rate(asked: list[int]) -> None:
    for product_id in range(1, 12):
        store_orders(1, product_id=product_id)
    started = time.monotonic()

    run(Command(), "--rate", "20")

    assert len(asked) == 11
    assert time.monotonic() - started >= 0.5


def test_without_products_it_says_how_far_it_came_and_how_to_go_on() -> None:
    for product_id in (4, 5, 6):
        store_orders(1, product_id=product_id, product_name="Old")

    def give_up_at_five(wire: Wire) -> None:
        if wire.product_id < 5:
            wire.answer_product()
        else:
            wire.answer(503)

    with ScriptedProducts(give_up_at_five) as peer, orders_asking(peer.url):
        code, output, errors = reconcile()
        document = json.loads(reconcile("--json")[1])

    assert (code, output) == (1, "")
    assert errors == (
        "Asked about 1 product: 0 missing, 1 renamed. Then products gave no answer about product 5: answered 503. "
        "Go on with --after 4.\n"
        "  product 4 was 'Old' and is now 'Quantum Laptop': 1 order\n"
    )
    assert document["after"] == 4
    assert document["problems"][-1] == "products gave no answer about product 5: answered 503"


def test_a_signal_ends_it_before_the_next_product() -> None:
    for product_id in (1, 2, 3):
        store_orders(1, product_id=product_id)

    def answer_and_signal(wire: Wire) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        wire.answer_product()

    with ScriptedProducts(answer_and_signal) as peer, orders_asking(peer.url):
        code, _, errors = run(Command(), "--rate", "1")

    assert code == 1
    assert errors == "Asked about 1 product: 0 missing, 0 renamed. Then a signal stopped it. Go on with --after 1.\n"


def test_no_transaction_is_open_while_products_is_asked() -> None:
    store_orders(1)
    database = connections["default"]  # of this thread, which is the one that asks
    in_transaction: list[bool] = []
    with ScriptedProducts(peers.product) as peer, orders_asking(peer.url):
        peer.while_serving = lambda: in_transaction.append(database.in_atomic_block or not database.get_autocommit())

        assert reconcile()[0] == 0

    assert in_transaction == [False]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rate", "0"], "'0' is not a whole number from 1 to 1000"),
        (["--rate", "fast"], "'fast' is not a whole number from 1 to 1000"),
        (["--limit", "0"], "'0' is not a whole number from 1 to 9223372036854775807"),
        (["--after", "-1"], "'-1' is not a whole number from 0 to 9223372036854775807"),
        (["--since", "2026-02-30"], "'2026-02-30' is not an ISO 8601 date or time"),
        (["--everything"], "unrecognized arguments: --everything"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(options: list[str], complaint: str) -> None:
    with pytest.raises(CommandError) as refused:
        run(Command(), *options)

    assert complaint in str(refused.value)


def test_only_confirmed_orders_count(asked: list[int]) -> None:
    store_unsettled(product_id=LAST_PRODUCT + 1, product_name="gone")

    assert reconcile()[0] == 0
    assert asked == []
