"""purge_orders deletes only old orders."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.db import connection

from ops.tests.run_command import run
from orders_project.orders.management.commands.purge_orders import Command
from orders_project.orders.models import Order
from orders_project.orders.tests.stored_orders import store_orders

pytestmark = pytest.mark.django_db(transaction=True)

OLD = timedelta(days=91)


def purge(*options: str) -> tuple[object, str, str]:
    return run(Command(), "--pause", "0", *options)


def ids() -> set[int]:
    return set(Order.objects.values_list("pk", flat=True))


def test_it_deletes_the_orders_that_are_older_and_no_others() -> None:
    store_orders(3, age=OLD)
    kept = store_orders(2, age=timedelta(days=89))

    code, output, errors = purge("--older-than", "90d", "--yes")

    assert (code, errors) == (0, "")
    assert output.startswith("Purged 3 orders placed before 20")
    assert ids() == {order.pk for order in kept}


def test_a_second_run_finds_nothing_to_do() -> None:
    store_orders(1, age=OLD)
    purge("--older-than", "90d", "--yes")

    code, output, _ = purge("--older-than", "90d", "--yes")

    assert code == 0
    assert output.startswith("Purged 0 orders placed before 20")


def test_a_dry_run_counts_and_estimates_and_deletes_nothing() -> None:
    store_orders(50, age=OLD)

    code, output, _ = run(Command(), "--older-than", "90d", "--dry-run", "--batch", "10", "--pause", "6000")

    assert code == 0
    assert output.startswith("Would purge 50 orders placed before 20")
    assert ", in an estimated 30 s." in output
    assert output.endswith("Nothing was changed.\n")
    assert Order.objects.count() == 50


def test_json_says_what_was_done() -> None:
    store_orders(450, age=OLD)

    _, foreseen, _ = purge("--older-than", "90d", "--dry-run", "--json")
    _, done, _ = purge("--older-than", "90d", "--yes", "--json", "--batch", "100")

    assert json.loads(foreseen)["counts"] == {"purgeable": 450, "kept": 0, "estimated_seconds": 0}
    assert json.loads(foreseen)["dryRun"] is True
    counts = json.loads(done)["counts"]
    assert (counts["purged"], counts["left"]) == (450, 0)
    assert counts["batches"] >= 5


def test_where_nobody_can_be_asked_it_wants_yes() -> None:
    store_orders(2, age=OLD)

    code, output, errors = purge("--older-than", "90d")

    assert (code, output) == (2, "")
    assert errors.startswith("This deletes 2 orders placed before 20")
    assert errors.endswith("for good. Give --yes to go on without being asked.\n")
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "one of the arguments --older-than --before is required"),
        (["--older-than", "90d", "--before", "2020-01-01"], "not allowed with argument"),
        (["--before", "2999-01-01"], "'2999-01-01' is less than 1d ago"),
        (["--older-than", "soon"], "'soon' is not a duration such as 90d, 12h or 4w"),
        (["--older-than", "23h"], "'23h' is less than 1d"),
        (["--older-than", "0w"], "'0w' is less than 1d"),
        (["--older-than", "90d", "--batch", "0"], "'0' is not a whole number from 1 to 5000"),
        (["--older-than", "90d", "--batch", "1e3"], "'1e3' is not a whole number from 1 to 5000"),
        (["--older-than", "90d", "--pause", "-1"], "'-1' is not a whole number from 0 to 60000"),
        (["--older-than", "90d", "--faster"], "unrecognized arguments: --faster"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(options: list[str], complaint: str) -> None:
    store_orders(1, age=OLD)

    with pytest.raises(CommandError) as refused:
        run(Command(), "--yes", *options)

    assert complaint in str(refused.value)
    assert Order.objects.count() == 1


def test_orders_of_one_moment_are_all_deleted() -> None:
    moment = store_orders(1, age=OLD)[0].created_at
    Order.objects.bulk_create(Order(product_id=1, quantity=1, created_at=moment) for _ in range(500))

    code, output, _ = purge("--older-than", "90d", "--yes", "--batch", "100")

    assert code == 0
    assert output.startswith("Purged 501 orders")
    assert not Order.objects.exists()


def test_without_a_table_it_says_what_to_run() -> None:
    with connection.schema_editor() as editor:
        editor.alter_db_table(Order, "orders_order", "orders_elsewhere")
    try:
        code, _, errors = purge("--older-than", "90d", "--yes")
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Order, "orders_elsewhere", "orders_order")

    assert code == 1
    assert errors.startswith("The database refused: ")
    assert "Has `manage.py migrate` run?" in errors
