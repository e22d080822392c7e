"""Many clients send the same order, or order the last piece, at the same moment."""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from tests.faults import results
from tests.faults.chaos import TRACKED, World, running_world
from tests.faults.clients import Client
from tests.faults.invariants import ORDERS, PRODUCTS, RESERVATIONS, read
from tests.faults.ledger import Ledger
from tests.faults.postgresql import Cluster

KEYS_WANTED = int(os.environ.get("FAULTS_KEYS") or 200)
DUPLICATES = 16
BUYERS, PIECES = 500, 100


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("races")
    with running_world(directory, cluster, stock=PIECES, over_rabbitmq=False, env={"WEB_CONCURRENCY": "2"}) as running:
        yield running


@dataclass
class Duplicates:
    """Concurrent clients that send the same keys in the same order."""

    port: int
    keys: list[str]
    statuses: Counter[str] = field(default_factory=Counter)
    orders: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _together: threading.Barrier = field(default_factory=lambda: threading.Barrier(DUPLICATES))

    def run(self) -> None:
        threads = [threading.Thread(target=self._order_all, daemon=True) for _ in range(DUPLICATES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _order_all(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            for number, key in enumerate(self.keys):
                if number % 10 == 0:
                    self._together.wait(120)
                while self._order(connection, key) == "409 request_in_progress":
                    pass  # another duplicate is in progress

    def _order(self, connection: http.client.HTTPConnection, key: str) -> str:
        body = json.dumps({"productId": 1, "quantity": 2})
        connection.request("POST", "/orders", body, {"Content-Type": "application/json", "Idempotency-Key": f'"{key}"'})
        answer = connection.getresponse()
        document = json.loads(answer.read())
        ended = f"{answer.status} {document.get('code', '')}".strip()
        with self._lock:
            self.statuses[ended] += 1
            if answer.status == 201:
                self.orders[key].add(document["id"])
        return ended


@pytest.mark.timeout(1800)
def test_sixteen_duplicates_of_each_key_make_one_order(world: World) -> None:
    keys = [str(UUID(int=number, version=4)) for number in range(KEYS_WANTED)]
    crowd = Duplicates(world.orders.port, keys)

    crowd.run()

    stored = read(world.cluster.url(world.databases.orders), f"SELECT * FROM {ORDERS}")
    mine = [row for row in stored if row["idempotency_key"] in set(keys)]
    results.record(
        "race_for_keys",
        tried=f"{KEYS_WANTED} keys, each sent by {DUPLICATES} clients at once",
        promises=3,
        violations=[f"{ended}: {count}" for ended, count in crowd.statuses.items() if ended[0] == "5"]
        + [f"key {key}: orders {sorted(numbers)}" for key, numbers in crowd.orders.items() if len(numbers) > 1],
    )
    assert set(crowd.statuses) <= {"201", "409 request_in_progress"}, crowd.statuses
    assert crowd.statuses["201"] == KEYS_WANTED * DUPLICATES
    assert {len(numbers) for numbers in crowd.orders.values()} == {1}
    assert len(mine) == KEYS_WANTED


@pytest.mark.timeout(1800)
def test_five_hundred_clients_buy_exactly_the_hundred_pieces_there_are(world: World, tmp_path: Path) -> None:
    products = world.cluster.url(world.databases.products)
    ledger = Ledger(tmp_path / "ledger.jsonl")
    buyers = [Client(world.orders.url, ledger, f"buyer {number}", timeout=60.0) for number in range(BUYERS)]
    endings: Counter[str] = Counter()
    together = threading.Barrier(BUYERS)

    def buy(client: Client) -> None:
        together.wait(120)
        ended = client.place(product_id=TRACKED, quantity=1)
        endings[f"{ended.status} {ended.body.get('code', '')}".strip()] += 1

    threads = [threading.Thread(target=buy, args=(buyer,), daemon=True) for buyer in buyers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()

    (row,) = read(products, f"SELECT * FROM {PRODUCTS} WHERE id = {TRACKED}")
    held = [row for row in read(products, f"SELECT * FROM {RESERVATIONS}") if row["status"] == "held"]
    results.record(
        "race_for_pieces",
        tried=f"{BUYERS} clients at once for {PIECES} pieces",
        promises=3,
        violations=[] if endings["201"] == PIECES and row["stock"] == 0 else [f"{dict(endings)}, {row['stock']} left"],
    )
    assert endings == {"201": PIECES, "409 out_of_stock": BUYERS - PIECES}
    assert row["stock"] == 0
    assert sum(row["quantity"] for row in held if row["product_id"] == TRACKED) == PIECES
