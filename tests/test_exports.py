"""Exports, reports and retiring as processes: pipes, signals, kills and memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.tests.problem_shape import assert_problem
from tests.peak_memory import run_and_measure
from tests.processes import ROOT, Stack, clean_environment, database, manage, running_stack

ORDERS = 20_000
MAX_MEMORY_KB = 130_000  # about 20 MB of it is coverage

STORE_ORDERS = f"""
from orders_project.orders.models import Order
Order.objects.bulk_create(
    (Order(product_id=number % 50 + 1, quantity=2) for number in range({ORDERS})), batch_size=1000
)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("exports")) as stack:
        done = manage("orders_project", "shell", "--no-imports", "--command", STORE_ORDERS, env=stack.orders.env)
        assert done.returncode == 0, done.stderr
        yield stack


def start_export(stack: Stack, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "orders_project" / "manage.py"), "export_orders", *options],
        env=clean_environment(stack.orders.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )


def object_on(errors: bytes) -> dict[str, Any]:
    """Return the object of --json, printed after the log."""
    document: dict[str, Any] = json.loads(errors.splitlines()[-1])
    return document


def ids(lines: bytes) -> list[int]:
    return [json.loads(line)["id"] for line in lines.splitlines()]


def test_products_go_through_a_pipe_into_an_empty_database_and_come_back_alike(stack: Stack, tmp_path: Path) -> None:
    exported = manage("products_project", "export_products", "--format", "json", env=stack.products.env)
    with database(tmp_path, "copy") as url:
        env = {"DATABASE_URL": url}
        assert manage("products_project", "migrate", "--verbosity", "0", env=env).returncode == 0
        seeded = manage("products_project", "seed_products", "--file", "-", env=env, input=exported.stdout)
        again = manage("products_project", "export_products", "--format", "json", env=env)

    assert json.loads(exported.stdout)[0] == {"id": 1, "name": "Quantum Laptop"}
    assert seeded.stdout == "Seeded 2 products: 2 created, 0 updated, 0 unchanged.\n"
    assert again.stdout == exported.stdout


def test_a_retired_product_cannot_be_ordered_until_it_is_back(stack: Stack) -> None:
    assert (
        manage("products_project", "retire_product", "2", env=stack.products.env).stdout == "Product 2 is off sale.\n"
    )
    refused = stack.place_order(product_id=2)
    done = manage("products_project", "retire_product", "2", "--undo", env=stack.products.env)
    placed = stack.place_order(product_id=2)

    assert_problem(refused, 400, "product_does_not_exist")
    assert done.stdout == "Product 2 is on sale again.\n"
    assert placed.status_code == 201


def test_sigterm_ends_an_export_between_two_pages_and_the_cursor_goes_on(stack: Stack) -> None:
    process = start_export(stack, "--format", "jsonl", "--json")
    assert process.stdout is not None
    first = process.stdout.read(1)  # a page is longer than a pipe, so the export waits within the first one
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)

    written = ids(first + output)
    report = object_on(errors)
    rest = manage(
        "orders_project", "export_orders", "--format", "jsonl", "--after", str(report["cursor"]), env=stack.orders.env
    )
    assert process.returncode == 1
    assert report["problems"] == ["stopped by a signal"]
    assert written[-1] == report["cursor"]
    everything = written + ids(rest.stdout.encode())
    assert len(written) < ORDERS <= len(everything)
    assert everything == sorted(set(everything))


def test_a_reader_that_has_gone_away_ends_it_without_a_word(stack: Stack) -> None:
    process = start_export(stack)
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    process.wait(60)
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()

    assert process.returncode == 1
    assert json.loads(errors.splitlines()[-1])["outcome"] == "failed"
    assert b"Traceback" not in errors
    assert b"Exception ignored" not in errors


def killed_in_mid_run(stack: Stack, path: Path) -> None:
    """Kill an export that has started to write; repeat if it was faster than the kill."""
    partial = path.with_name(f"{path.name}.partial")
    for _ in range(10):
        path.write_text("yesterday's")
        process = start_export(stack, "--format", "jsonl", "--output", str(path))
        while process.poll() is None and not (partial.exists() and partial.stat().st_size):
            time.sleep(0.001)
        process.kill()
        process.communicate()
        if process.returncode == -signal.SIGKILL and partial.exists():
            return
    raise AssertionError("every run was faster than the kill")


def test_a_killed_export_leaves_no_half_file_and_a_second_run_writes_the_whole(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    killed_in_mid_run(stack, path)
    assert path.read_text() == "yesterday's"

    done = manage("orders_project", "export_orders", "--format", "jsonl", "--output", str(path), env=stack.orders.env)

    assert done.returncode == 0, done.stderr
    assert f"in place of the file that was there; --after {ids(path.read_bytes())[-1]} goes on" in done.stderr
    assert len(ids(path.read_bytes())) >= ORDERS
    assert os.listdir(tmp_path) == ["orders.jsonl"]  # noqa: PTH208 - the test compares names


def test_memory_does_not_grow_with_the_orders(stack: Stack, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "orders_project" / "manage.py"), "export_orders"]
    command += ["--output", str(tmp_path / "orders.csv")]

    done, peak = run_and_measure(command, env=clean_environment(stack.orders.env))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "orders.csv").read_bytes().count(b"\r\n") > ORDERS
    assert peak < MAX_MEMORY_KB


def test_a_report_counts_them_and_draws_them(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "products.svg"
    done = manage(
        "orders_project", "order_report", "--by", "product", "--json", "--svg", str(path), env=stack.orders.env
    )

    document = json.loads(done.stdout)
    assert document["counts"]["products"] == 50
    assert [len(document["rows"]), document["rows"][-1]["productId"]] == [21, None]
    assert path.read_text().startswith("<svg ")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["export_orders", "--since", "2026-13-01"], "argument --since: '2026-13-01' is not an ISO 8601 date or time"),
        (
            ["export_orders", "--since", "2026-11-02", "--until", "2026-11-01"],
            "--since 2026-11-02T00:00:00Z is not befo",
        ),
        (["order_report", "--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_the_option(options: list[str], named: str, stack: Stack) -> None:
    done = manage("orders_project", *options, env=stack.orders.env)

    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr.splitlines()[-1]
