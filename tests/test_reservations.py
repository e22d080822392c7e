"""Concurrent clients reserve and release stock of the running products; no piece is lost or sold twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
import requests

from ops.tests.service_tokens import bearer
from tests.orders_database import execute
from tests.processes import Service, database, manage, prepared_database, stop_all

CLIENTS = 16
HELD = "SELECT coalesce(sum(quantity), 0) FROM products_reservation WHERE status = 'held' AND takes_stock"


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield products, in two processes."""
    directory = tmp_path_factory.mktemp("reservations")
    with database(directory, "products", like=prepared_database("products_project")) as url:
        service = Service("products_project", directory, {"DATABASE_URL": url, "WEB_CONCURRENCY": "2"})
        try:
            yield service.start()
        finally:
            stop_all(service)


@pytest.fixture(autouse=True)
def _nothing_is_held(products: Service) -> None:
    url = products.env["DATABASE_URL"]
    execute(url, "DELETE FROM products_reservation")
    execute(url, "UPDATE products_product SET stock = 20 WHERE id = 1")


@pytest.fixture(autouse=True)
def _no_request_fails(products: Service) -> Iterator[None]:
    before = len(products.log_lines())
    yield
    lines = products.log_lines()[before:]
    assert [line for line in lines if line.get("status", 0) >= 500 or "exception" in line] == []


def ask(products: Service, method: str, key: UUID, quantity: int = 1) -> int:
    """Send a request as a service and return the status."""
    return requests.request(
        method,
        f"{products.url}/reservations/{key}",
        json={"productId": 1, "quantity": quantity} if method == "PUT" else None,
        headers=bearer("products-service"),
        timeout=60,
    ).status_code


def at_once(calls: list[Callable[[], int]]) -> list[int]:
    """Make the calls concurrently and return their answers in order."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return [answer.result() for answer in [pool.submit(call) for call in calls]]


def in_stock(products: Service) -> int:
    return int(execute(products.env["DATABASE_URL"], "SELECT stock FROM products_product WHERE id = 1")[0][0])


def held(products: Service) -> int:
    return int(execute(products.env["DATABASE_URL"], HELD)[0][0])


def test_of_sixty_clients_for_twenty_pieces_twenty_get_one(products: Service) -> None:
    statuses = at_once([lambda: ask(products, "PUT", uuid4())] * 60)

    assert Counter(statuses) == {201: 20, 409: 40}
    assert (in_stock(products), held(products)) == (0, 20)


def test_of_sixteen_requests_under_one_id_one_takes_stock(products: Service) -> None:
    keys = [uuid4() for _ in range(5)]

    statuses = at_once([lambda key=key: ask(products, "PUT", key, 2) for key in keys for _ in range(16)])  # type: ignore[misc]

    assert Counter(statuses) == {201: 5, 200: 75}
    assert (in_stock(products), held(products)) == (10, 10)


def test_who_holds_and_releases_at_once_ends_released(products: Service) -> None:
    keys = [uuid4() for _ in range(15)]

    calls = [(key, method) for key in keys for method in ("PUT", "DELETE", "PUT")]
    statuses = at_once([lambda key=key, method=method: ask(products, method, key) for key, method in calls])  # type: ignore[misc]

    assert Counter(statuses)[204] == 15
    assert set(statuses) <= {200, 201, 204, 409}
    assert (in_stock(products), held(products)) == (20, 0)
    assert at_once([lambda key=key: ask(products, "PUT", key) for key in keys]) == [409] * 15  # type: ignore[misc]


def test_a_delivery_is_counted_beside_those_who_buy(products: Service) -> None:
    ended = threading.Event()

    def buy() -> int:
        bought = 0
        while not ended.is_set():
            bought += ask(products, "PUT", uuid4()) == 201
        return bought

    with ThreadPoolExecutor(3) as pool:
        buyers = [pool.submit(buy) for _ in range(3)]
        done = manage("products_project", "set_stock", "1", "--add", "1000000", env=products.env)
        ended.set()

    assert done.returncode == 0, done.stderr
    bought = sum(buyer.result() for buyer in buyers)
    assert bought > 0
    assert (in_stock(products), held(products)) == (1_000_020 - bought, bought)
