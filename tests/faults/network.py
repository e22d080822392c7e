"""Both services and their workers, with a proxy in every link to them, their databases and the broker."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import raw_http
from tests.faults import rabbitmq
from tests.faults.databases import new_databases
from tests.faults.invariants import OUTBOX_UNSENT, SALES, read
from tests.faults.postgresql import Cluster
from tests.faults.toxic_proxy import NONE, Fault, Link, toxic_proxy
from tests.faults.victims import Worker, workers
from tests.processes import Service, stop_all

HELD_UP = "relay.held_up"  # in the relay's log
ANNOUNCED_WITHIN = 60.0  # seconds; a bound on hanging

# Every kind of damage; the slow ones are mild enough for a 201.
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
    """The outcome of a request for the client: a status or an error."""

    status: int
    code: str = ""
    content_type: str = ""
    error: str = ""
    seconds: float = 0.0


@dataclass
class Network:
    """The services, the links between them, and the direct URLs of their databases."""

    products: Service
    orders: Service
    workers: list[Worker]
    orders_url: str
    products_url: str
    links: dict[str, Link]

    def order(self, *, timeout: float = 60.0) -> Ended:
        """Place one order over the client's link, on a new connection, with the request in one piece."""
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

    def logged(self, worker: str, event: str) -> int:
        """Return how often a worker has logged an event."""
        (path,) = (each.log_path for each in self.workers if each.name == worker)
        return path.read_text().count(f'"{event}"')

    def announced(self, *, held_up_before: int) -> str:
        """Return the state of waiting events: `sent`, or `held up` after the relay has logged it."""
        deadline = time.monotonic() + ANNOUNCED_WITHIN
        while read(self.orders_url, OUTBOX_UNSENT):
            if self.logged("relay", HELD_UP) > held_up_before:
                return "held up"
            assert time.monotonic() < deadline, "neither sent nor held up"
            time.sleep(0.05)
        return "sent"

    def is_counted(self) -> bool:
        """Return whether every order has taken effect in products once."""
        ordered = sum(row["quantity"] for row in read(self.orders_url, "SELECT quantity FROM orders_order"))
        return bool(ordered == sum(row["units_sold"] for row in read(self.products_url, f"SELECT * FROM {SALES}")))

    def heal(self, *, within: float = 60.0) -> float:
        """Repair every link; return the seconds until an order succeeds and each event took effect."""
        for link in self.links.values():
            link.fault = NONE
        started = time.monotonic()
        while (ended := self.order()).status != 201:
            assert time.monotonic() - started < within, ended
            time.sleep(0.05)
        while not self.is_counted():
            assert time.monotonic() - started < within, "not every event took effect"
            time.sleep(0.05)
        return time.monotonic() - started


@contextmanager
def running_network(directory: Path, cluster: Cluster, **env: str) -> Iterator[Network]:
    """Yield the services and the workers; `env` goes to orders. Only the relay reaches the broker over a link."""
    with ExitStack() as stack:
        databases = new_databases(cluster)
        node = stack.enter_context(rabbitmq.running_node())
        broker = stack.enter_context(toxic_proxy(node.port))
        database, catalogue, behind = (stack.enter_context(toxic_proxy(cluster.port)) for _ in range(3))
        products = Service(
            "products_project", directory, {"DATABASE_URL": cluster.url(databases.products, port=catalogue.port)}
        )
        peer = stack.enter_context(toxic_proxy(products.port))
        orders = Service(
            "orders_project",
            directory,
            {
                "DATABASE_URL": cluster.url(databases.orders, port=database.port),
                "PRODUCTS_SERVICE_URL": f"http://127.0.0.1:{peer.port}",
                "PRODUCTS_BREAKER_MIN_CALLS": "10000",  # the breaker must not open, as each cell tests one fault
                "PRODUCTS_CONNECT_TIMEOUT": "3",  # long enough for a slow machine
                "PRODUCTS_TRY_TIMEOUT": "4",
                "PRODUCTS_DEADLINE": "5",
                **env,
            },
        )
        stack.callback(stop_all, products, orders)
        for service in (products, orders):
            service.start(ready_within=0)
        envs = {  # they bypass the services' links to the databases, as a cell damages one link
            "products_project": {"DATABASE_URL": cluster.url(databases.products), "EVENTS_URL": node.url()},
            "orders_project": {
                "DATABASE_URL": cluster.url(databases.orders, port=behind.port),
                "DATABASE_STATEMENT_TIMEOUT": "2",
                "EVENTS_URL": node.url(port=broker.port),
                "EVENTS_TIMEOUT": "5",
            },
        }
        background = workers(envs, directory)
        for worker in background:
            worker.start()
            stack.callback(worker.kill)
        for service in (products, orders):
            service.wait_until_ready(60)
        client = stack.enter_context(toxic_proxy(orders.port))
        links = {
            "client->orders": client,
            "orders->products": peer,
            "orders->database": database,
            "products->database": catalogue,
            "relay->broker": broker,
            "workers->database": behind,
        }
        urls = cluster.url(databases.orders), cluster.url(databases.products)
        network = Network(products, orders, background, *urls, links)
        network.heal()  # the consumer has made its queue by now, and the relay has sent
        yield network
