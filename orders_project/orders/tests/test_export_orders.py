"""export_orders writes orders page by page, and an interrupted run can be continued."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import connection

from ops.database import batches
from ops.tests.exported_rows import run_for_rows
from ops.tests.run_command import run
from orders_project.orders.management.commands.export_orders import Command
from orders_project.orders.models import Order
from orders_project.orders.tests.made_orders import make_orders
from orders_project.orders.tests.stored_orders import store_unsettled

pytestmark = pytest.mark.django_db(transaction=True)


def ids(rows: bytes) -> list[int]:
    return [json.loads(line)["id"] for line in rows.splitlines()]


@contextmanager
def before_the_second_page(act: Callable[[], object]) -> Iterator[None]:
    """Do something before the run asks for its second page."""
    pages = 0

    def execute_statement(execute: Any, sql: str, *arguments: Any) -> Any:
        nonlocal pages
        if sql.startswith("SELECT") and "LIMIT" in sql:
            pages += 1
            if pages == 2:
                act()
        return execute(sql, *arguments)

    with connection.execute_wrapper(execute_statement):
        yield


def test_an_order_is_written_as_the_api_shows_it() -> None:
    (order_id,) = make_orders(1)
    expected = {
        "id": order_id,
        "productId": 1,
        "quantity": 2,
        "status": "confirmed",
        "createdAt": "2026-11-01T00:00:00Z",
    }

    _, table, _ = run_for_rows(Command())
    _, array, _ = run_for_rows(Command(), "--format", "json")
    _, lines, _ = run_for_rows(Command(), "--format", "jsonl")

    assert list(csv.DictReader(io.StringIO(table.decode(), newline=""))) == [{k: str(v) for k, v in expected.items()}]
    assert json.loads(array) == [expected]
    assert [json.loads(line) for line in lines.splitlines()] == [expected]


def test_many_pages_give_every_order_once_in_the_order_of_the_ids() -> None:
    made = make_orders(2 * batches.PAGE + 1)

    code, rows, said = run_for_rows(Command(), "--format", "jsonl")

    assert ids(rows) == made
    assert (code, said) == (
        0,
        f"Exported {len(made)} orders to standard output; --after {made[-1]} goes on from there.\n",
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--since", "2026-11-01T02:00:00Z"], [2, 3, 4]),
        (["--until", "2026-11-01T02:00:00Z"], [0, 1]),
        (["--since", "2026-11-01 01:00", "--until", "2026-11-01T05:00+02:00"], [1, 2]),
        (["--since", "2026-11-01", "--until", "2026-11-02"], [0, 1, 2, 3, 4]),
        (["--until", "2026-11-01"], []),
        (["--status", "confirmed"], [0, 1, 2, 3, 4]),
    ],
)
def test_the_interval_is_half_open(options: list[str], expected: list[int]) -> None:
    made = make_orders(5)

    _, rows, _ = run_for_rows(Command(), "--format", "jsonl", *options)

    assert ids(rows) == [made[place] for place in expected]


def test_it_goes_on_after_an_order() -> None:
    made = make_orders(5)

    _, rows, _ = run_for_rows(Command(), "--format", "jsonl", "--after", str(made[2]))
    code, none, said = run_for_rows(Command(), "--format", "jsonl", "--after", str(2**63 - 1))

    assert ids(rows) == made[3:]
    assert (code, none) == (0, b"")
    assert said == "Exported 0 orders to standard output; --after 9223372036854775807 goes on from there.\n"


def test_csv_of_two_runs_can_be_joined() -> None:
    made = make_orders(5)

    whole = run_for_rows(Command())[1]
    first = run_for_rows(Command(), "--until", "2026-11-01T03:00Z")[1]
    second = run_for_rows(Command(), "--after", str(made[2]), "--no-header")[1]

    assert first + second == whole


def test_json_reports_the_cursor_on_standard_error() -> None:
    made = make_orders(3)

    _, rows, said = run_for_rows(Command(), "--json", "--format", "json")

    assert len(json.loads(rows)) == 3
    document = json.loads(said)
    assert (document["counts"], document["cursor"]) == ({"exported": 3}, made[-1])


def test_a_signal_ends_it_between_two_pages_and_a_second_run_goes_on(tmp_path: Path) -> None:
    made = make_orders(batches.PAGE + 10)
    path = tmp_path / "orders.json"

    with before_the_second_page(lambda: os.kill(os.getpid(), signal.SIGTERM)):
        code, _, said = run(Command(), "--format", "json", "--output", str(path))
    cursor = made[batches.PAGE - 1]
    _, rest, _ = run_for_rows(Command(), "--format", "json", "--after", str(cursor))

    assert code == 1
    assert said == (
        f"Stopped by a signal. Before that, exported {batches.PAGE} orders to {path}.partial; "
        f"--after {cursor} goes on from there.\n"
    )
    assert not path.exists()
    written = json.loads((tmp_path / "orders.json.partial").read_text()) + json.loads(rest)
    assert [order["id"] for order in written] == made


def test_a_database_that_fails_in_mid_run_leaves_what_was_read_and_says_where_to_go_on() -> None:
    made = make_orders(batches.PAGE + 10)

    def fail() -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            cursor.execute("ALTER TABLE orders_order RENAME TO away")

    try:
        with before_the_second_page(fail):
            code, rows, said = run_for_rows(Command(), "--json", "--format", "json")
    finally:
        connection.close()
        if "away" in connection.introspection.table_names():
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE away RENAME TO orders_order")

    document = json.loads(said)
    assert code == 1
    assert [order["id"] for order in json.loads(rows)] == made[: batches.PAGE]
    assert document["cursor"] == made[batches.PAGE - 1]
    assert document["problems"][0].startswith("the database refused: ")
    assert Order.objects.count() == len(made)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--since", "yesterday"], "argument --since: 'yesterday' is not an ISO 8601 date or time"),
        (["--until", "2026-02-30"], "argument --until: '2026-02-30' is not an ISO 8601 date or time"),
        (["--status", "paid"], "argument --status: invalid choice: 'paid'"),
        (["--format", "xml"], "argument --format: invalid choice: 'xml'"),
        (["--after", "-1"], "argument --after: '-1' is not a whole number from 0 to"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
)
def test_bad_options_are_named(options: list[str], named: str) -> None:
    with pytest.raises(CommandError) as refused:
        run(Command(), *options)

    assert named in str(refused.value)


def test_an_interval_that_holds_nothing_is_wrong_usage() -> None:
    assert run(Command(), "--since", "2026-11-02", "--until", "2026-11-01") == (
        2,
        "",
        "--since 2026-11-02T00:00:00Z is not before --until 2026-11-01T00:00:00Z.\n",
    )


def test_a_full_disk_is_one_clear_line() -> None:
    make_orders(1)

    assert run(Command(), "--output", "/dev/full") == (1, "", "/dev/full: No space left on device.\n")


def test_another_run_that_writes_the_file_is_left_alone(tmp_path: Path) -> None:
    make_orders(batches.PAGE + 1)
    path = tmp_path / "orders.csv"
    second: list[tuple[object, str, str]] = []

    with before_the_second_page(lambda: second.append(run(Command(), "--output", str(path)))):
        first = run(Command(), "--output", str(path))

    assert first[0] == 0
    assert second[0][0] == 3
    assert f"Another run is writing {path}.partial" in second[0][2]
    assert path.read_bytes().count(b"\n") == batches.PAGE + 2


def test_orders_of_every_status_are_written_and_chosen_by_it() -> None:
    make_orders(1)
    pending, rejected = store_unsettled()

    rows = run_for_rows(Command(), "--format", "jsonl")[1].splitlines()

    assert [json.loads(row)["status"] for row in rows] == ["confirmed", "pending", "rejected"]
    for order in (pending, rejected):
        assert ids(run_for_rows(Command(), "--format", "jsonl", "--status", order.status)[1]) == [order.pk]
