"""PostgreSQL ends a session in the middle of a statement, and the client's request is answered all the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from ops.database.lost_session import SOON
from tests.faults.toxic_proxy import NONE, Fault, Link
from tests.orders_database import execute
from tests.processes import Service, Stack, running_stack

if not os.environ.get("TEST_DATABASE_URL"):
    pytest.skip("a SQLite database has no sessions; CI has PostgreSQL", allow_module_level=True)

WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
END = "SELECT pg_terminate_backend(%s, 20000)"  # and wait until it has ended
Ask = Callable[[], requests.Response]


@dataclass
class Shop:
    """Both services; orders reaches its database through a link."""

    stack: Stack
    orders_database: str
    link: Link

    def count(self, table: str) -> int:
        with psycopg.connect(self.orders_database) as connection:
            row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert row
        return int(row[0])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        direct = stack.orders.env["DATABASE_URL"]
        parts = urlsplit(direct)
        link = Link(parts.port or 5432)
        stack.orders.stop()
        netloc = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
        stack.orders.env["DATABASE_URL"] = parts._replace(netloc=f"{netloc}:{link.port}").geturl()
        stack.orders.start()
        yield Shop(stack, direct, link)
        link.close()


def ended_within(url: str, table: str, ask: Ask) -> requests.Response:
    """Return the answer to a request whose session ends while its statement waits for a table."""
    for _ in range(20):
        with psycopg.connect(url, autocommit=True) as watching, psycopg.connect(url) as other:
            other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            with ThreadPoolExecutor(1) as client:
                started = time.monotonic()
                asked = client.submit(ask)
                try:
                    while not (waiting := watching.execute(WAITING).fetchone()):
                        assert not asked.done()
                    watching.execute(END, waiting)
                    is_soon = time.monotonic() - started < SOON / 2
                finally:
                    other.rollback()
                answer = asked.result()
            if is_soon:  # on a slow machine the request may get a 503, after a second
                return answer
    raise AssertionError("this machine did not end a session within half a second")


def logged(service: Service, event: str) -> int:
    return sum(line["event"] == event for line in service.log_lines())


def test_a_read_whose_session_ends_is_run_again(shop: Shop) -> None:
    products = shop.stack.products

    answer = ended_within(
        products.env["DATABASE_URL"], "products_product", lambda: requests.get(f"{products.url}/products/1", timeout=30)
    )

    assert answer.status_code == 200, answer.text
    assert logged(products, "database.read_again") >= 1


def test_an_order_whose_session_ends_before_the_commit_is_stored_once(shop: Shop) -> None:
    before = shop.count("orders_order")

    answer = ended_within(shop.orders_database, "orders_order", shop.stack.place_order)

    assert answer.status_code == 201, answer.text
    assert logged(shop.stack.orders, "order.stored_again") >= 1
    assert shop.count("orders_order") - before == shop.count("outbox_outboxevent") - before


def test_an_order_whose_commit_was_not_answered_is_found_again(shop: Shop) -> None:
    assert shop.stack.place_order().status_code == 201  # so that a session is idle
    before, connected = shop.count("orders_order"), set(shop.link.connections)

    shop.link.fault = Fault(answer_bytes=0)
    with ThreadPoolExecutor(1) as client:
        asked = client.submit(shop.stack.place_order)
        while connected <= shop.link.connections:
            assert not asked.done(), asked.result().text
        shop.link.fault = NONE
        answer = asked.result()

    assert answer.status_code == 201, answer.text
    assert shop.count("orders_order") == before + 1
    assert shop.count("outbox_outboxevent") == before + 1
    placed = execute(
        shop.orders_database, f"SELECT product_id, quantity FROM orders_order WHERE id = {answer.json()['id']}"
    )
    assert [tuple(row) for row in placed] == [(answer.json()["productId"], answer.json()["quantity"])]
