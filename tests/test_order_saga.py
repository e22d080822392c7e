"""Concurrent orders: the same key, the last pieces, and a kill in between."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import requests

from tests.orders_database import execute
from tests.processes import (
    ROOT,
    Service,
    clean_environment,
    database,
    manage,
    prepared_database,
    running_stack,
    stop_all,
)

# By name, as mypy reads this file with the settings of either service.
peer: Any = import_module("orders_project.orders.tests.stocked_products")

THREADS, KEYS = 16, 8


@contextmanager
def orders_of(stock: Any, directory: Path, **env: str) -> Iterator[Service]:
    """Yield an orders service with a products service of this stock."""
    with (
        peer.ScriptedProducts(stock) as products,
        database(directory, "orders", like=prepared_database("orders_project")) as url,
    ):
        known = {"DATABASE_URL": url, "PRODUCTS_SERVICE_URL": products.url}
        service = Service("orders_project", directory, known | env)
        try:
            yield service.start()
        finally:
            stop_all(service)


def place(url: str, key: str, product_id: int = 1, quantity: int = 1) -> requests.Response:
    return requests.post(
        f"{url}/orders",
        json={"productId": product_id, "quantity": quantity},
        headers={"Idempotency-Key": key},
        timeout=30,
    )


def place_until_decided(url: str, key: str) -> requests.Response:
    """Retry while another request is in progress, as a client does."""
    deadline = time.monotonic() + 60
    while (answer := place(url, key)).status_code == 409 and answer.json()["code"] == "request_in_progress":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


def at_once(attempt: Any) -> list[requests.Response]:
    """Let each thread send all keys, starting together."""
    barrier = Barrier(THREADS)

    def send_all(_: int) -> list[requests.Response]:
        barrier.wait(30)
        return [attempt(f"key-{number}") for number in range(KEYS)]

    with ThreadPoolExecutor(THREADS) as pool:
        return [answer for answers in pool.map(send_all, range(THREADS)) for answer in answers]


def test_the_same_keys_at_once_place_each_order_once_and_the_last_pieces_are_sold_once_each(tmp_path: Path) -> None:
    stock = peer.Stock({1: KEYS // 2})  # product 2 is not tracked
    with orders_of(stock, tmp_path) as orders:
        answers = at_once(lambda key: place(orders.url, key, product_id=2))

        assert Counter(answer.status_code for answer in answers) == {201: THREADS * KEYS}
        assert len({answer.content for answer in answers}) == KEYS
        assert orders.metric("orders_created_total") == KEYS
        assert orders.metric("orders_replayed_total") == THREADS * KEYS - KEYS

        answers = at_once(lambda key: place_until_decided(orders.url, f"tracked-{key}"))

        placed = Counter(answer.json()["id"] for answer in answers if answer.status_code == 201)
        refused = Counter(answer.json()["code"] for answer in answers if answer.status_code == 409)
        assert list(placed.values()) == [THREADS] * (KEYS // 2)
        assert refused == {"out_of_stock": THREADS * KEYS // 2}
        assert (stock.stock[1], stock.held()) == (0, KEYS // 2)
        rows = execute(
            orders.env["DATABASE_URL"],
            "SELECT status, count(*) FROM orders_order WHERE product_id = 1 GROUP BY status",
        )
        assert dict(rows) == {"confirmed": KEYS // 2, "rejected": KEYS - KEYS // 2}


def test_both_services_sell_a_stock_to_its_last_piece(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        assert manage("products_project", "set_stock", "1", "3", env=stack.products.env).returncode == 0
        url = stack.orders.url

        sold, same = place(url, "a", quantity=2), place(url, "a", quantity=2)
        refused, refused_again = place(url, "b", quantity=2), place(url, "b", quantity=2)
        last = place(url, "c")

        assert [answer.status_code for answer in (sold, same, refused, refused_again, last)] == [
            201,
            201,
            409,
            409,
            201,
        ]
        assert same.content == sold.content
        assert (refused.json()["code"], refused.json()["available"]) == ("out_of_stock", 1)
        assert refused_again.json()["available"] == 1
        with_settled = manage("orders_project", "recover_orders", "--once", env=stack.orders.env)
        assert (with_settled.returncode, with_settled.stdout[:12]) == (0, "0 confirmed,")


def test_an_order_whose_process_is_killed_is_settled_by_recovery(tmp_path: Path) -> None:
    stock, reached = peer.Stock(), Event()

    def reserve_and_say_nothing(wire: Any, act: Any) -> None:
        act()
        reached.set()
        wire.stall()

    stock.have("PUT", reserve_and_say_nothing)
    with orders_of(stock, tmp_path, PRODUCTS_DEADLINE="2.5", ORDER_LEASE="3") as orders, ThreadPoolExecutor(1) as pool:
        lost = pool.submit(place, orders.url, "k")
        assert reached.wait(30)
        orders.kill()
        assert isinstance(lost.exception(30), requests.ConnectionError)

        with recovering(orders) as process:
            wait_until_settled(orders.env["DATABASE_URL"])
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
        orders.start()
        answer = place(orders.url, "k")

    assert (process.returncode, said) == (0, b"1 confirmed, 0 rejected, 0 released, 0 postponed.\n")
    assert (answer.status_code, answer.headers["Idempotency-Replayed"]) == (201, "true")
    assert (stock.stock[1], stock.held()) == (9, 1)


@contextmanager
def recovering(orders: Service) -> Iterator[subprocess.Popen[bytes]]:
    """Run the process `recovery` beside an orders service."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "orders_project" / "manage.py"), "recover_orders"],
        env=clean_environment(orders.env),
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_until_settled(url: str) -> None:
    deadline = time.monotonic() + 60
    while execute(url, "SELECT 1 FROM orders_order WHERE recover_after IS NOT NULL"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
