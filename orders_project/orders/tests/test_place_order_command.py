"""place_order stores what POST /orders would store, and refuses what it would refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.db import connection

from ops.tests.clients import staff
from ops.tests.peers import refused
from ops.tests.run_command import run
from orders_project.orders.management.commands.place_order import Command
from orders_project.orders.models import MAX_ID, MAX_QUANTITY, Order
from orders_project.orders.tests.products_peer import orders_asks, products_peer
from orders_project.orders.tests.stocked_products import Stock, stocked_products

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _products() -> Iterator[None]:
    with products_peer():
        yield


def place(*arguments: str) -> tuple[object, str, str]:
    return run(Command(), *arguments)


def test_it_stores_the_order_and_prints_it() -> None:
    code, output, errors = place("1", "2")

    order = Order.objects.get()
    assert (order.product_id, order.product_name, order.quantity) == (1, "Quantum Laptop", 2)
    assert (code, errors) == (0, "")
    assert output == f"Placed order {order.pk}: 2 of product 1 ('Quantum Laptop'), confirmed.\n"


def test_with_json_the_order_is_the_one_that_the_api_shows() -> None:
    document = json.loads(place("2", "1", "--json")[1])

    assert document["order"] == staff().get(f"/orders/{document['order']['id']}").json()
    assert document["counts"] == {"placed": 1}
    assert document["dryRun"] is False


def test_a_dry_run_asks_products_and_stores_nothing() -> None:
    code, output, _ = place("2", "3", "--dry-run")
    missing = place("3", "1", "--dry-run")

    assert (code, output) == (
        0,
        "Would place an order: 3 of product 2 ('Neutrino Keyboard'). Nothing was changed.\n",
    )
    assert missing == (1, "", "product_does_not_exist: Product does not exist\n")
    assert not Order.objects.exists()


def test_a_product_that_does_not_exist_is_refused_with_the_apis_code() -> None:
    code, output, _ = place("3", "1", "--json")

    document = json.loads(output)
    assert place("3", "1") == (1, "", "product_does_not_exist: Product does not exist\n")
    assert (code, document["code"]) == (1, "product_does_not_exist")
    assert document["problems"] == ["product_does_not_exist: Product does not exist"]
    assert not Order.objects.exists()


def test_without_products_it_says_so_in_one_line() -> None:
    with orders_asks(refused()):
        code, output, errors = place("1", "1")

    assert (code, output) == (1, "")
    assert errors == "products_unavailable: The products service is unavailable; try again later.\n"
    assert not Order.objects.exists()


@pytest.mark.parametrize("text", ["0", "-1", "", "x", "1.0", "1e2", "1_0", " 1", "+1", "٣", "true", "1" * 30, "[1]"])
def test_what_the_api_calls_no_valid_request_is_wrong_usage(text: str) -> None:
    for arguments, field in (((text, "1"), "productId"), (("1", text), "quantity")):
        code, output, errors = place(*arguments)

        assert (code, output) == (2, "")
        assert errors.startswith(f"validation_error: {field}: ")
        assert errors.count("\n") == 1
    assert not Order.objects.exists()


def test_every_wrong_value_is_named_with_its_limit() -> None:
    code, _, errors = place(str(MAX_ID + 1), str(MAX_QUANTITY + 1))

    assert code == 2
    assert errors == (
        f"validation_error: productId: Ensure this value is less than or equal to {MAX_ID}.; "
        f"quantity: Ensure this value is less than or equal to {MAX_QUANTITY}.\n"
    )


def test_without_a_table_it_says_what_to_run() -> None:
    with connection.schema_editor() as editor:
        editor.alter_db_table(Order, "orders_order", "orders_elsewhere")
    try:
        code, _, errors = place("1", "1")
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Order, "orders_elsewhere", "orders_order")

    assert code == 1
    assert errors.startswith("The database refused: ")
    assert "Has `manage.py migrate` run?" in errors


def test_stock_is_reserved_as_for_any_order() -> None:
    with stocked_products(Stock({1: 3})) as stock:
        placed = place("1", "2")
        refused = place("1", "2")

    assert placed[0] == 0
    assert refused[0] == 1
    assert refused[2].startswith("out_of_stock: Less is left")
    assert refused[2].endswith(" available: 1.\n")
    assert stock.stock[1] == 1
