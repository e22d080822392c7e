"""Many threads share one client: each keeps its connection, and retries stay within the budget."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from orders_project.orders.errors import ProductsUnavailable
from orders_project.orders.products_client import Product, products_client
from orders_project.orders.tests.scripted_products import ScriptedProducts, orders_asking, product, status

OUT_OF_REACH = {"products_breaker_min_calls": 10_000}


def test_each_of_32_threads_keeps_one_connection() -> None:
    barrier = Barrier(32)
    with ScriptedProducts(product) as peer, orders_asking(peer.url), ThreadPoolExecutor(32) as pool:
        client = products_client()

        def ask(thread: int) -> list[Product]:
            barrier.wait(30)
            return [client.fetch_product(1000 * thread + call) for call in range(1, 21)]

        answers = list(pool.map(ask, range(32)))

        assert [p.id for products in answers for p in products] == [
            1000 * thread + call for thread in range(32) for call in range(1, 21)
        ]
        assert (peer.connections, peer.tries) == (32, 640)


def test_retries_stay_within_their_budget_when_products_is_down_under_load() -> None:
    with ScriptedProducts(status(503)) as peer, orders_asking(peer.url, **OUT_OF_REACH), ThreadPoolExecutor(16) as pool:
        client = products_client()

        def ask(_: int) -> int:
            refused = 0
            for _ in range(25):
                try:
                    client.fetch_product(1)
                except ProductsUnavailable:
                    refused += 1
            return refused

        calls = sum(pool.map(ask, range(16)))

        retries = peer.tries - calls
        assert calls == 400
        assert 1 < retries <= 1 + 0.1 * calls


def test_the_configured_budget_gives_one_retry_at_once_and_then_one_for_each_ten_calls() -> None:
    tries = []
    with ScriptedProducts(status(503)) as peer, orders_asking(peer.url, **OUT_OF_REACH):
        for _ in range(21):
            before = peer.tries
            try:
                products_client().fetch_product(1)
            except ProductsUnavailable:
                tries.append(peer.tries - before)

    assert tries == [2, *[1] * 8, 2, *[1] * 9, 2, 1]
