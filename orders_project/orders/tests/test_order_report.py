"""order_report adds up orders by day and by product."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from django.core.management.base import CommandError

from ops.tests.exported_rows import run_for_rows
from ops.tests.run_command import run
from orders_project.orders.management.commands.order_report import Command
from orders_project.orders.models import Order
from orders_project.orders.tests.made_orders import START, make_orders
from orders_project.orders.tests.stored_orders import store_unsettled

pytestmark = pytest.mark.django_db


@pytest.fixture
def _three_days() -> None:
    """Store 24 orders of product 1 on the first day, none on the second, one of product 7 on the third."""
    make_orders(24)
    Order.objects.create(product_id=7, quantity=1_000, created_at=START + timedelta(days=2, hours=23, minutes=59))


@pytest.fixture
def _ranked() -> None:
    """Store five orders of product 5, four of product 4, and so on."""
    for number in range(1, 6):
        make_orders(number, product_id=number, quantity=10)


@pytest.mark.usefixtures("_three_days")
def test_by_day_it_is_an_aligned_table_of_every_day() -> None:
    assert run(Command())[1] == (
        "       day  orders  quantity\n"
        "2026-11-01      24        48\n"
        "2026-11-02       0         0\n"
        "2026-11-03       1     1,000\n"
        "25 orders of 1,048 pieces, 3 days.\n"
    )


@pytest.mark.usefixtures("_ranked")
def test_by_product_the_rest_is_summed_as_others() -> None:
    assert run(Command(), "--by", "product", "--top", "2")[1] == (
        "product  name  orders  quantity\n"
        "      5             5        50\n"
        "      4             4        40\n"
        " others             6        60\n"
        "15 orders of 150 pieces, 5 products.\n"
    )


@pytest.mark.usefixtures("_ranked")
def test_where_all_products_are_shown_there_are_no_others() -> None:
    document = json.loads(run(Command(), "--by", "product", "--json")[1])

    assert [row["productId"] for row in document["rows"]] == [5, 4, 3, 2, 1]
    assert document["counts"] == {"orders": 15, "quantity": 150, "products": 5}


def test_products_with_as_many_orders_are_in_the_order_of_their_ids() -> None:
    for product_id in (3, 1, 2):
        make_orders(1, product_id=product_id)

    document = json.loads(run(Command(), "--by", "product", "--top", "2", "--json")[1])

    assert [row["productId"] for row in document["rows"]] == [1, 2, None]


@pytest.mark.usefixtures("_three_days")
def test_csv_and_json_have_plain_numbers_and_nothing_else() -> None:
    _, table, said = run_for_rows(Command(), "--format", "csv")
    _, array, _ = run_for_rows(Command(), "--format", "json")

    assert table == b"day,orders,quantity\r\n2026-11-01,24,48\r\n2026-11-02,0,0\r\n2026-11-03,1,1000\r\n"
    assert json.loads(array)[2] == {"day": "2026-11-03", "orders": 1, "quantity": 1000}
    assert said == "25 orders of 1,048 pieces, 3 days.\n"


@pytest.mark.usefixtures("_ranked")
def test_others_are_named_in_csv_and_null_in_json() -> None:
    _, table, _ = run_for_rows(Command(), "--by", "product", "--top", "1", "--format", "csv")
    _, array, _ = run_for_rows(Command(), "--by", "product", "--top", "1", "--format", "json")

    assert table == b"productId,name,orders,quantity\r\n5,,5,50\r\nothers,,10,100\r\n"
    assert json.loads(array)[1] == {"productId": None, "name": None, "orders": 10, "quantity": 100}


def test_a_product_has_the_name_of_its_last_order() -> None:
    for name in (None, "Quantum Laptop", "Quantum Laptop 2"):
        Order.objects.create(product_id=1, quantity=1, product_name=name)

    table = run(Command(), "--by", "product")[1]
    document = json.loads(run(Command(), "--by", "product", "--json")[1])

    assert table.splitlines()[1].split() == ["1", "Quantum", "Laptop", "2", "3", "3"]
    assert document["rows"] == [{"productId": 1, "name": "Quantum Laptop 2", "orders": 3, "quantity": 3}]


@pytest.mark.usefixtures("_three_days")
def test_the_interval_is_half_open() -> None:
    document = json.loads(run(Command(), "--since", "2026-11-01T01:00Z", "--until", "2026-11-01T03:00Z", "--json")[1])

    assert document["rows"] == [{"day": "2026-11-01", "orders": 2, "quantity": 4}]


@pytest.mark.usefixtures("_three_days")
def test_a_plot_has_a_bar_for_each_row() -> None:
    lines = run(Command(), "--plot")[1].splitlines()

    assert lines[1].endswith(f"48  {'█' * 30}")
    assert lines[2].endswith("  0")
    assert lines[3].endswith("1,000  █▎")


@pytest.mark.usefixtures("_three_days")
def test_an_svg_file_shows_the_orders(tmp_path: Path) -> None:
    path = tmp_path / "days.svg"

    _, output, _ = run(Command(), "--svg", str(path))

    assert output.endswith(f"3 days. Drawn in {path}.\n")
    text = "".join(ET.parse(path).getroot().itertext())
    for words in ("Orders by day", "day (UTC)", "orders", "2026-11-02", "2026-11-03: 1 orders, 1,000 pieces"):
        assert words in text


def test_without_orders_it_says_so(tmp_path: Path) -> None:
    assert run(Command()) == (0, "No orders.\n", "")
    assert run_for_rows(Command(), "--by", "product", "--format", "csv")[1] == b"productId,name,orders,quantity\r\n"
    assert run(Command(), "--svg", str(tmp_path / "none.svg"))[0] == 0


def test_orders_ages_apart_need_an_interval() -> None:
    make_orders(2, every=timedelta(days=3_660))

    assert run(Command()) == (
        2,
        "",
        "From 2026-11-01 to 2036-11-08 is more than 3660 days; give --since or --until.\n",
    )
    assert run(Command(), "--since", "2027-01-01")[0] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--top", "5"], "--top needs --by product.\n"),
        (["--plot", "--format", "csv"], "--plot needs --format table.\n"),
        (
            ["--since", "2026-11-01", "--until", "2026-11-01"],
            "--since 2026-11-01T00:00:00Z is not before --until 2026-11-01T00:00:00Z.\n",
        ),
        (["--svg", "/dev/null/days.svg"], "/dev/null/days.svg cannot be written: Not a directory.\n"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(options: list[str], said: str) -> None:
    assert run(Command(), *options) == (2, "", said)


@pytest.mark.parametrize("options", [["--top", "0"], ["--by", "week"], ["--since", "x"]])
def test_bad_options_are_named(options: list[str]) -> None:
    with pytest.raises(CommandError, match=f"argument {options[0]}"):
        run(Command(), *options)


@pytest.mark.usefixtures("_three_days")
@pytest.mark.parametrize("by", ["day", "product"])
def test_what_is_not_confirmed_does_not_count(by: str) -> None:
    before = run(Command(), "--by", by)

    store_unsettled()

    assert run(Command(), "--by", by) == before
