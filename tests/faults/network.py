"""Both services with a damageable link before each of them and before the database of orders."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import raw_http
from tests.faults.databases import new_databases
from tests.faults.postgresql import Cluster
from tests.faults.toxic_proxy import NONE, Fault, Link, toxic_proxy
from tests.processes import Service, stop_all

# Every kind of damage, mild enough where it only slows down that a promise of 201 stands.
FAULTS = {
    "latency": Fault(latency=0.05),
    "jitter": Fault(jitter=0.1),
    "bandwidth": Fault(bytes_per_second=8_000),
    "reset": Fault(reset=True),
    "half_close": Fault(half_close=True),
    "black_hole": Fault(black_hole=True),
    "truncated": Fault(answer_bytes=12),
    "cut_after_request": Fault(cut_after_request=True),
}


@dataclass(frozen=True)
class Ended:
    """How a request ended for the client: with a status, or with the error that took its place."""

    status: int
    code: str = ""
    content_type: str = ""
    error: str = ""
    seconds: float = 0.0


@dataclass
class Network:
    """The services and the links between them."""

    products: Service
    orders: Service
    cluster: Cluster
    links: dict[str, Link]

    def order(self, *, timeout: float = 60.0) -> Ended:
        """Place one order over the client's link, on a connection of its own, the request in one piece."""
        request = raw_http.post(b'{"productId": 1, "quantity": 2}')
        started = time.monotonic()
        try:
            with raw_http.connect(self.links["client->orders"].port, timeout=timeout) as connection:
                connection.sendall(request)
                answer = raw_http.read_answer(connection)
                document = answer.json()
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: half a document
            return Ended(0, error=type(error).__name__, seconds=time.monotonic() - started)
        return Ended(
            answer.status,
            document.get("code", ""),
            answer.headers["Content-Type"],
            seconds=time.monotonic() - started,
        )

    def heal(self, *, within: float = 60.0) -> float:
        """Mend every link; return the seconds until an order is placed again."""
        for link in self.links.values():
            link.fault = NONE
        started = time.monotonic()
        while (ended := self.order()).status != 201:
            assert time.monotonic() - started < within, ended
            time.sleep(0.05)
        return time.monotonic() - started


@contextmanager
def running_network(directory: Path, cluster: Cluster, **env: str) -> Iterator[Network]:
    """Yield the services, with orders on PostgreSQL; `env` goes to orders."""
    with ExitStack() as stack:
        databases = new_databases(cluster)
        database = stack.enter_context(toxic_proxy(cluster.port))
        products = Service("products_project", directory, {"DATABASE_URL": cluster.url(databases.products)})
        peer = stack.enter_context(toxic_proxy(products.port))
        orders = Service(
            "orders_project",
            directory,
            {
                "DATABASE_URL": cluster.url(databases.orders, port=database.port),
                "PRODUCTS_SERVICE_URL": f"http://127.0.0.1:{peer.port}",
                "PRODUCTS_BREAKER_MIN_CALLS": "10000",  # a cell is about its own fault, not about those before it
                "PRODUCTS_CONNECT_TIMEOUT": "3",  # nor about how fast this machine is
                "PRODUCTS_TRY_TIMEOUT": "4",
                "PRODUCTS_DEADLINE": "5",
                **env,
            },
        )
        stack.callback(stop_all, products, orders)
        for service in (products, orders):
            service.start(ready_within=0)
        for service in (products, orders):
            service.wait_until_ready(60)
        client = stack.enter_context(toxic_proxy(orders.port))
        links = {"client->orders": client, "orders->products": peer, "orders->database": database}
        yield Network(products, orders, cluster, links)
