"""The commands of orders as processes beside the running services."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.load import load
from tests.orders_database import execute, old_orders, store_old_orders
from tests.processes import ROOT, Stack, clean_environment, manage, running_stack

ORDER = b'{"productId": 1, "quantity": 2}'
PURGE = ("purge_orders", "--older-than", "52w", "--yes")
SLOWLY = ("--batch", "50", "--pause", "1000")  # so that it still runs when another process has started


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("orders_commands")) as running:
        yield running


@pytest.fixture
def url(stack: Stack) -> Iterator[str]:
    """Return the database of orders; delete old orders afterwards."""
    url = stack.orders.env["DATABASE_URL"]
    yield url
    execute(url, "DELETE FROM orders_order WHERE created_at < '2025-01-01'")


def orders(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return manage("orders_project", *arguments, env=stack.orders.env)


def purging(stack: Stack, url: str) -> subprocess.Popen[str]:
    """Start a slow purge of a thousand orders; return when it has begun."""
    store_old_orders(url, 1000)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "orders_project" / "manage.py"), *PURGE, *SLOWLY],
        env=clean_environment(stack.orders.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 90
    while old_orders(url) == 1000:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def last_line(errors: str) -> str:
    return errors.splitlines()[-1]


def test_orders_are_placed_as_before_while_twenty_thousand_are_purged(stack: Stack, url: str) -> None:
    store_old_orders(url, 20_000)
    with load(stack.orders.port, "POST", "/orders", ORDER, clients=2) as clients:
        clients.wait_for(5)
        done = orders(stack, *PURGE, "--pause", "20")
        clients.wait_for(len(clients.requests) + 5)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Purged 20000 orders placed before 20")
    assert {request.status for request in clients.ended("answered")} == {201}
    assert old_orders(url) == 0


def test_a_second_purge_is_locked_out_and_a_signal_ends_the_first_after_its_batch(stack: Stack, url: str) -> None:
    first = purging(stack, url)
    second = orders(stack, *PURGE)
    first.send_signal(signal.SIGTERM)
    output, errors = first.communicate(timeout=30)
    left = old_orders(url)

    assert second.returncode == 3
    assert last_line(second.stderr).startswith("Another purge_orders is running: ")
    assert (first.returncode, output) == (1, "")
    assert last_line(errors).startswith(f"Purged {1000 - left} orders placed before 20")
    assert last_line(errors).endswith(f" {left} are left: stopped by a signal. Run it again to go on.")
    assert 0 < left < 1000


def test_what_a_killed_purge_has_left_the_next_one_deletes(stack: Stack, url: str) -> None:
    killed = purging(stack, url)
    killed.kill()
    killed.communicate(timeout=30)
    left = old_orders(url)

    done = orders(stack, *PURGE)

    assert 0 < left < 1000
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Purged {left} orders placed before 20")
    assert old_orders(url) == 0


def test_a_database_that_goes_away_is_one_line_that_says_how_far_it_came(stack: Stack, url: str) -> None:
    process = purging(stack, url)
    if url.startswith("sqlite"):  # its file does not disappear, but its tables may
        execute(url, "ALTER TABLE orders_order RENAME TO orders_elsewhere")
        output, errors = process.communicate(timeout=30)
        execute(url, "ALTER TABLE orders_elsewhere RENAME TO orders_order")
    else:
        of_the_purge = "FROM pg_stat_activity WHERE application_name LIKE 'purge_orders %'"
        assert execute(url, f"SELECT pg_terminate_backend(pid) {of_the_purge}") == [(True,)]
        output, errors = process.communicate(timeout=30)

    assert (process.returncode, output) == (1, "")
    assert "Traceback" not in errors
    assert last_line(errors).startswith("The database refused after ")
    assert last_line(errors).endswith(" Run it again to go on.")


def test_what_is_no_duration_is_wrong_usage_in_one_line(stack: Stack, url: str) -> None:
    store_old_orders(url, 1)

    done = orders(stack, "purge_orders", "--older-than", "a while", "--yes")

    assert (done.returncode, done.stdout) == (2, "")
    assert last_line(done.stderr) == (
        "manage.py purge_orders: error: argument --older-than: 'a while' is not a duration such as 90d, 12h or 4w"
    )
    assert old_orders(url) == 1


def test_an_order_placed_by_the_command_is_the_services_order_and_its_renamed_product_is_found(stack: Stack) -> None:
    products = "id,name\n7,Gluon Glue\n"
    manage("products_project", "seed_products", "--file", "-", env=stack.products.env, input=products)
    refused = orders(stack, "place_order", "8", "1")
    placed = orders(stack, "place_order", "7", "3", "--json")
    manage("products_project", "seed_products", "--file", "-", env=stack.products.env, input="id,name\n7,Glue\n")
    found = orders(stack, "reconcile_orders", "--after", "6", "--json")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert last_line(refused.stderr) == "product_does_not_exist: Product does not exist"
    assert json.loads(placed.stdout)["order"]["productId"] == 7
    assert found.returncode == 1
    assert json.loads(found.stdout)["findings"] == [
        {"finding": "renamed", "productId": 7, "orders": 1, "was": "Gluon Glue", "now": "Glue"}
    ]


def test_without_products_reconciling_says_so_and_how_to_go_on(stack: Stack) -> None:
    stack.place_order(2)
    env = stack.orders.env | {"PRODUCTS_SERVICE_URL": "http://127.0.0.1:1"}

    done = manage("orders_project", "reconcile_orders", "--after", "1", "--limit", "1", env=env)

    assert (done.returncode, done.stdout) == (1, "")
    assert last_line(done.stderr) == (
        "Asked about 0 products: 0 missing, 0 renamed. Then products gave no answer about product 2: "
        "ConnectionRefusedError. Go on with --after 1."
    )
