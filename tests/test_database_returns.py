"""A database that cuts its connections, or takes no writes for a while, costs refusals at most, and never a 500."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import requests

from events.tests.made_events import confirmed
from ops.tests.service_tokens import bearer
from tests.processes import Service, Stack, manage, running_stack

THREADS = 8
EVENT = {"Content-Type": "application/cloudevents+json"}
if not os.environ.get("TEST_DATABASE_URL"):
    pytest.skip("a SQLite database has no connections to cut; CI has PostgreSQL", allow_module_level=True)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack"), WEB_THREADS=str(THREADS)) as running:
        yield running


def on_server(statement: str, *parameters: object) -> list[tuple[object, ...]]:
    """Execute a statement outside of the services' databases."""
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def name_of(service: Service) -> str:
    return service.env["DATABASE_URL"].rsplit("/", 1)[1]


def sessions(service: Service) -> set[object]:
    found = on_server("SELECT pid FROM pg_stat_activity WHERE datname = %s", name_of(service))
    return {pid for (pid,) in found}


def fill_the_pools(stack: Stack) -> None:
    """Have both services open a connection in each thread, while a lock holds all of them up."""

    def read_product() -> requests.Response:
        return requests.get(f"{stack.products.url}/products/1", timeout=30)

    for service, table, ask in (
        (stack.products, "products_product", read_product),
        (stack.orders, "orders_order", stack.place_order),
    ):
        with psycopg.connect(service.env["DATABASE_URL"]) as other, ThreadPoolExecutor(THREADS) as clients:
            other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            asked = [clients.submit(ask) for _ in range(THREADS)]
            while len(sessions(service)) <= THREADS:  # one of them is ours
                time.sleep(0.01)
            other.rollback()
            assert {one.result().status_code for one in asked} <= {200, 201}


def end_sessions(stack: Stack) -> None:
    for service in (stack.orders, stack.products):
        for pid in sessions(service):
            on_server("SELECT pg_terminate_backend(%s, 20000)", pid)


def test_the_first_request_after_every_idle_connection_was_cut_is_answered(stack: Stack) -> None:
    fill_the_pools(stack)

    end_sessions(stack)

    answer = stack.place_order()
    assert (answer.status_code, answer.elapsed.total_seconds() < 10) == (201, True)


def test_connections_that_the_server_ends_when_they_are_idle_cost_nothing(stack: Stack) -> None:
    for service in (stack.orders, stack.products):
        on_server(f'ALTER DATABASE "{name_of(service)}" SET idle_session_timeout = 300')
    try:
        end_sessions(stack)  # those that come next have the time-out
        fill_the_pools(stack)
        for _ in range(5):
            while sessions(stack.orders) or sessions(stack.products):
                pass
            assert stack.place_order().status_code == 201
    finally:
        for service in (stack.orders, stack.products):
            on_server(f'ALTER DATABASE "{name_of(service)}" RESET idle_session_timeout')
        end_sessions(stack)


def test_a_read_only_database_is_away_for_writes_and_found_again_without_a_restart(stack: Stack) -> None:
    on_server(f'ALTER DATABASE "{name_of(stack.orders)}" SET default_transaction_read_only = on')
    end_sessions(stack)

    try:
        refused = stack.place_order()
        while (ready := requests.get(f"{stack.orders.url}/readyz", timeout=10)).status_code == 200:
            pass  # an earlier result is remembered for a second
    finally:
        on_server(f'ALTER DATABASE "{name_of(stack.orders)}" RESET default_transaction_read_only')
    answers = [stack.place_order().status_code for _ in range(THREADS + 3)]  # at most one for each session left
    end_sessions(stack)

    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert int(refused.headers["Retry-After"]) >= 1
    assert ready.status_code == 503
    assert "read-only" in ready.json()["probes"]["database"]
    assert answers[-1] == 201
    assert set(answers) <= {201, 503}


def test_products_are_read_from_a_database_that_takes_no_writes(stack: Stack) -> None:
    on_server(f'ALTER DATABASE "{name_of(stack.products)}" SET default_transaction_read_only = on')
    end_sessions(stack)
    try:
        assert requests.get(f"{stack.products.url}/products/1", timeout=10).status_code == 200
        assert stack.place_order().status_code == 201
        refused = requests.post(
            f"{stack.products.url}/events",
            json.dumps(confirmed()),
            headers=bearer("products-service") | EVENT,
            timeout=10,
        )
        assert (refused.status_code, refused.json()["code"]) == (
            503,
            "database_unavailable",
        )  # the relay counts no attempt
    finally:
        on_server(f'ALTER DATABASE "{name_of(stack.products)}" RESET default_transaction_read_only')
        end_sessions(stack)


def test_a_deadlock_is_an_answer_to_try_again(stack: Stack) -> None:
    done = manage("products_project", "set_stock", "2", "5", env=stack.products.env)
    assert done.returncode == 0, done.stderr
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = %s"
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    before = on_server(deadlocks, name_of(stack.products))
    for _ in range(20):  # a slow machine may let the lock time out first, which is busy too
        key = str(uuid4())
        with psycopg.connect(stack.products.env["DATABASE_URL"]) as other, ThreadPoolExecutor(1) as client:
            other.execute("SET deadlock_timeout = '60s'")  # so that the service's session finds the deadlock
            other.execute("SELECT 1 FROM products_product WHERE id = 2 FOR UPDATE")
            reserving = client.submit(
                requests.put,
                f"{stack.products.url}/reservations/{key}",
                json={"productId": 2, "quantity": 1},
                headers=bearer("products-service"),
                timeout=30,
            )
            while not on_server(waiting, name_of(stack.products)):
                assert not reserving.done()
            other.execute("INSERT INTO products_reservation (id, product_id, quantity) VALUES (%s, 2, 1)", [key])
            answer = reserving.result()
            other.rollback()
        assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "busy", "1")
        if on_server(deadlocks, name_of(stack.products)) != before:
            return
    raise AssertionError("no deadlock")


def test_what_a_role_sets_does_not_change_how_the_code_reads(stack: Stack, tmp_path: Path) -> None:
    database = name_of(stack.orders)
    on_server(f"ALTER DATABASE \"{database}\" SET datestyle = 'German, DMY'")
    on_server(f"ALTER DATABASE \"{database}\" SET default_transaction_isolation = 'serializable'")
    end_sessions(stack)
    try:
        with ThreadPoolExecutor(THREADS) as clients:
            answers = list(clients.map(lambda _: stack.place_order(), range(80)))
    finally:
        on_server(f'ALTER DATABASE "{database}" RESET ALL')
        end_sessions(stack)

    assert {answer.status_code for answer in answers} == {201}
