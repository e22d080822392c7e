"""Behind PgBouncer in transaction mode the services, their commands and their limits work as before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import requests

from ops.tests.service_tokens import bearer
from tests.pgbouncer import pooler, reconnect
from tests.processes import ROOT, Service, Stack, clean_environment, database, manage, prepared_database, stop_all

if not os.environ.get("TEST_DATABASE_URL"):
    pytest.skip("a pooler stands before PostgreSQL; CI has one", allow_module_level=True)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Yield both services, each behind a pooler, with DATABASE_DIRECT_URL."""
    directory = tmp_path_factory.mktemp("pooled")
    with (
        database(directory, "products", like=prepared_database("products_project")) as products_db,
        database(directory, "orders", like=prepared_database("orders_project")) as orders_db,
        pooler(directory, products_db, orders_db) as (pooled_products, pooled_orders),
    ):
        products = Service(
            "products_project", directory, {"DATABASE_URL": pooled_products, "DATABASE_DIRECT_URL": products_db}
        )
        orders = Service(
            "orders_project",
            directory,
            {
                "DATABASE_URL": pooled_orders,
                "DATABASE_DIRECT_URL": orders_db,
                "PRODUCTS_SERVICE_URL": products.url,
            },
        )
        for service in (products, orders):
            done = manage(service.project, "migrate", env=service.env)
            assert done.returncode == 0, done.stderr
            assert "New sessions of the pooler have" in done.stdout
            reconnect(service.env["DATABASE_URL"])
        try:
            products.start()
            orders.start()
            yield Stack(products, orders)
        finally:
            stop_all(products, orders)


def doctor(env: dict[str, str]) -> list[tuple[str, str]]:
    """Return level and words of what doctor says of the sessions."""
    done = manage("orders_project", "doctor", "--json", env=env)
    return [
        (line["level"], line["says"]) for line in json.loads(done.stdout)["checks"] if line["id"] == "database.sessions"
    ]


def test_orders_are_placed_through_the_pooler(stack: Stack) -> None:
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: stack.place_order(), range(100)))

    assert {answer.status_code for answer in answers} == {201}


def test_a_session_through_the_pooler_has_the_limits_that_are_configured(stack: Stack) -> None:
    assert doctor(stack.orders.env) == [("ok", "as configured, behind a pooler")]


def test_an_isolation_that_the_database_sets_does_not_reach_a_session_through_the_pooler(stack: Stack) -> None:
    env = stack.orders.env
    name = env["DATABASE_DIRECT_URL"].rsplit("/", 1)[1]
    with psycopg.connect(env["DATABASE_DIRECT_URL"], autocommit=True) as server:
        server.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'")
        reconnect(env["DATABASE_URL"])

        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: stack.place_order(), range(40)))
        kept = doctor(env)

        server.execute(f'ALTER ROLE CURRENT_USER IN DATABASE "{name}" SET default_transaction_isolation = serializable')
        reconnect(env["DATABASE_URL"])
        named = doctor(env)
        migrated = manage("orders_project", "migrate", env=env)
        server.execute(f'ALTER DATABASE "{name}" RESET ALL')
    reconnect(env["DATABASE_URL"])

    assert {answer.status_code for answer in answers} == {201}
    assert kept == doctor(env) == [("ok", "as configured, behind a pooler")]
    assert named == [("failure", "a request's session has other limits: default_transaction_isolation is serializable")]
    assert "New sessions of the pooler have default_transaction_isolation" in migrated.stdout


def test_a_second_migration_has_nothing_to_set(stack: Stack) -> None:
    done = manage("orders_project", "migrate", env=stack.orders.env)

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Migrated: 0 applied, 0 unapplied.")


def test_a_locked_product_is_busy_through_the_pooler(stack: Stack) -> None:
    done = manage("products_project", "set_stock", "2", "5", env=stack.products.env)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(stack.products.env["DATABASE_DIRECT_URL"]) as holder:
        holder.execute("SELECT 1 FROM products_product WHERE id = 2 FOR UPDATE")

        answer = requests.put(
            f"{stack.products.url}/reservations/3f1d2c80-6c3b-4a7e-9d52-0c8f5b1e7a66",
            json={"productId": 2, "quantity": 1},
            headers=bearer("products-service"),
            timeout=30,
        )

    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


def test_three_migrations_at_once_on_an_empty_database_apply_each_once(tmp_path: Path) -> None:
    with database(tmp_path, "orders") as url, pooler(tmp_path, url) as (pooled,):
        env = clean_environment({"DATABASE_URL": pooled, "DATABASE_DIRECT_URL": url})
        command = [sys.executable, str(ROOT / "orders_project/manage.py"), "migrate", "--json"]
        running = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        outputs = [process.communicate(timeout=240)[0] for process in running]

    assert [process.returncode for process in running] == [0, 0, 0]
    applied = sorted(json.loads(output.splitlines()[-1])["counts"]["applied"] for output in outputs)
    assert applied[:2] == [0, 0]
    assert applied[2] > 0


def test_a_backup_is_taken_and_verified_past_the_pooler(stack: Stack, tmp_path: Path) -> None:
    done = manage("orders_project", "backup", "--to", str(tmp_path), "--verify", env=stack.orders.env)

    assert done.returncode == 0, done.stderr


def test_the_loops_work_through_the_pooler(stack: Stack) -> None:
    for project, loop in (("orders_project", "recover_orders"), ("orders_project", "relay_events")):
        done = manage(project, loop, "--once", env=stack.orders.env | {"EVENTS_URL": f"{stack.products.url}/events"})
        assert done.returncode == 0, (loop, done.stderr)


def test_a_pooler_that_is_not_said_is_named_and_no_lock_is_trusted_to_it(stack: Stack) -> None:
    unsaid = {"DATABASE_URL": stack.orders.env["DATABASE_URL"]}
    with psycopg.connect(unsaid["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

    refused = manage("orders_project", "migrate", env=unsaid)

    assert refused.returncode in (1, 2)
    assert "options" in refused.stderr or "DATABASE_DIRECT_URL" in refused.stderr
