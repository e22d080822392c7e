"""set_stock changes the stock beside reservations."""

from __future__ import annotations

import json

import pytest
from structlog.testing import capture_logs

from ops.tests.run_command import run
from products_project.products.management.commands.set_stock import Command
from products_project.products.models import MAX_STOCK
from products_project.products.services.catalogue import built_in_products, seed_products
from products_project.products.tests.reserving import release, reserve, set_stock, stock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_products(rows=built_in_products())
    set_stock(5)


@pytest.mark.parametrize(
    ("options", "said", "after"),
    [
        (["7"], "The stock of product 1 is 7; it was 5.", 7),
        (["0"], "The stock of product 1 is 0; it was 5.", 0),
        (["5"], "The stock of product 1 is 5 already; nothing to change.", 5),
        (["--untracked"], "The stock of product 1 is not tracked; it was 5.", None),
        (["--add", "3"], "The stock of product 1 is 8; it was 5.", 8),
        (["--add=-5"], "The stock of product 1 is 0; it was 5.", 0),
        (["--add", "0"], "The stock of product 1 is 5 already; nothing to change.", 5),
        (
            ["7", "--dry-run"],
            "Would change the stock of product 1 from 5 to 7. Nothing was changed.",
            5,
        ),
        (["--add=-5", "--dry-run"], "Would change the stock of product 1 from 5 to 0. Nothing was changed.", 5),
        (["5", "--dry-run"], "The stock of product 1 is 5 already; nothing to change.", 5),
    ],
)
def test_it_says_what_it_did(options: list[str], said: str, after: int | None) -> None:
    assert run(Command(), "1", *options) == (0, f"{said}\n", "")
    assert stock() == after


def test_a_product_is_tracked_from_its_first_stock_on_and_a_second_run_changes_nothing() -> None:
    assert run(Command(), "2", "9") == (0, "The stock of product 2 is 9; it was not tracked.\n", "")
    assert run(Command(), "2", "9") == (0, "The stock of product 2 is 9 already; nothing to change.\n", "")
    assert stock(2) == 9


@pytest.mark.parametrize("options", [["--add=-6"], ["--add", str(MAX_STOCK)]])
def test_a_stock_below_0_or_beyond_all_measure_is_refused(options: list[str]) -> None:
    code, output, errors = run(Command(), "1", *options)

    assert (code, output) == (1, "")
    said = f"The stock of product 1 is 5; it must stay from 0 to {MAX_STOCK}. Nothing was changed.\n"
    assert errors == said
    assert stock() == 5


def test_there_is_nothing_to_add_to_where_nobody_counts() -> None:
    code, _, errors = run(Command(), "2", "--add", "1")

    assert code == 1
    assert errors.startswith("The stock of product 2 is not tracked: there is nothing to add to.")


@pytest.mark.parametrize("product_id", ["3", "0", "9" * 30])
@pytest.mark.parametrize("options", [["5"], ["--untracked"], ["--add", "1"], ["5", "--dry-run"]])
def test_a_product_that_does_not_exist_is_a_failure(product_id: str, options: list[str]) -> None:
    assert run(Command(), product_id, *options) == (1, "", f"Product {product_id} does not exist.\n")


@pytest.mark.parametrize("options", [[], ["5", "--untracked"], ["5", "--add", "1"], ["--add", "1", "--untracked"]])
def test_one_of_three_is_wanted(options: list[str]) -> None:
    assert run(Command(), "1", *options) == (2, "", "Give one of N, --untracked and --add N.\n")
    assert stock() == 5


def test_json_says_what_it_was_and_is() -> None:
    first, second = (json.loads(run(Command(), "1", "7", "--json")[1]) for _ in range(2))

    assert (first["before"], first["after"], first["counts"]) == (5, 7, {"changed": 1, "unchanged": 0})
    assert (second["before"], second["after"], second["counts"]) == (7, 7, {"changed": 0, "unchanged": 1})


def test_what_is_held_comes_back_on_top_of_a_new_count() -> None:
    reserve(7, quantity=2)
    run(Command(), "1", "10")

    release(7)

    assert stock() == 12


def test_a_change_is_logged_with_what_it_was() -> None:
    with capture_logs() as logs:
        run(Command(), "1", "7")
        run(Command(), "1", "7")

    changes = [line for line in logs if line["event"] == "stock.changed"]
    assert changes == [{"event": "stock.changed", "log_level": "info", "product_id": 1, "before": 5, "after": 7}]
