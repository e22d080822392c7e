"""Both services after every kind of event, watched by a real Prometheus and a trace collector."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import requests

from tests.gateway import Gateway, gateway
from tests.observability.loops import Loop
from tests.observability.prometheus_server import SCRAPE_INTERVAL, Prometheus, running_prometheus
from tests.orders_database import execute
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.processes import Service, Stack, free_port, manage, running_stack

WINDOW = "5s"  # of rates: ten scrapes
JOBS = {"orders-service": "orders", "products-service": "products"}
LOOPS = {"relay": "relay_events", "recovery": "recover_orders"}
PUSHED = "pushgateway"  # the files that the commands write replace the target of this job
ROUNDS = 3
BREAKER_WINDOW = "1"  # second, so that the calls before the fault soon stop counting
CALLS_TO_OPEN = 60  # the breaker opens at 20 attempts with half of them failed
TRACKED, STOCK = 2, 100_000  # a product and its stock


@dataclass
class EventfulStack:
    """The stack of a test; `started` is the time of Prometheus' first scrape."""

    stack: Stack
    prometheus: Prometheus
    collector: OtlpReceiver
    started: float
    loops: dict[str, Loop]
    door: Gateway

    def range(self, expr: str, *, step: float = 0.5) -> list[dict[str, Any]]:
        """Return an expression's series from the start to now, as a panel draws them."""
        found: list[dict[str, Any]] = self.prometheus.api(
            "query_range", query=expr, start=str(self.started), end=str(time.time()), step=str(step)
        )["result"]
        return found


@contextmanager
def eventful_stack(directory: Path, *, rounds: int = ROUNDS) -> Iterator[EventfulStack]:
    """Yield the stack after traffic that touched every metric; orders has one worker, so exemplars, products two."""
    commands = directory / "commands"
    commands.mkdir()
    with otlp_receiver() as collector, textfiles(commands) as address:
        env = {
            "JAEGER_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "COMMAND_METRICS_DIR": str(commands),
            "SERVICE_VERSION": "v1",
            "PRODUCTS_BREAKER_WINDOW": BREAKER_WINDOW,
        }
        with running_stack(directory, **env) as stack:
            stack.orders.env["EVENTS_URL"] = f"{stack.products.url}/events"
            execute(stack.products.env["DATABASE_URL"], track_stock(TRACKED, STOCK))
            targets = {job: [f"127.0.0.1:{getattr(stack, name).port}"] for job, name in JOBS.items()}
            loops = {job: Loop(stack.orders, command) for job, command in LOOPS.items()}
            targets |= {job: [loop.address] for job, loop in loops.items()} | {PUSHED: [address]}
            behind = {f"GATEWAY_{name.upper()}": f"127.0.0.1:{getattr(stack, name).port}" for name in JOBS.values()}
            with (
                gateway(**behind, GATEWAY_RATE="1", GATEWAY_BURST="1") as door,
                running_prometheus(
                    directory, targets | {"gateway": [door.status_url.removeprefix("http://")]}
                ) as prometheus,
            ):
                eventful = EventfulStack(stack, prometheus, collector, time.time(), loops, door)
                try:
                    everything_happens(eventful, rounds)
                    yield eventful
                finally:
                    for loop in loops.values():
                        loop.stop()


def everything_happens(eventful: EventfulStack, rounds: int) -> None:
    """Drive traffic that touches each metric, wait for a scrape after it, and drive some more, so that rates exist."""
    stack = eventful.stack
    wait_for_scrapes(eventful)
    for _ in range(rounds):
        ordinary_traffic(eventful)
        wait_for_scrapes(eventful)
    products_goes_and_comes_back(eventful)
    orders_loses_its_database(stack)
    wait_for_scrapes(eventful)
    tables_go_missing(eventful)
    commands_run(stack)
    for loop in eventful.loops.values():
        loop.start()
    for count in ("events_published_total", "orders_recovered_total"):
        ordinary_traffic(eventful)
        eventful.prometheus.wait_for(count)
        wait_for_scrapes(eventful)
    ordinary_traffic(eventful)
    wait_for_scrapes(eventful)


def ordinary_traffic(eventful: EventfulStack) -> None:
    """Send typical requests, including mistakes."""
    orders, products = eventful.stack.orders.url, eventful.stack.products.url
    for _ in range(4):  # of which the gateway allows two
        eventful.door.ask("GET", "/products/1", client="127.0.9.1")
    with requests.Session() as session:
        for number in range(12):
            session.post(f"{orders}/orders", json={"productId": 1 + number % 2, "quantity": 1 + number % 3}, timeout=10)
        for quantity in (1, 2, STOCK + 1):
            session.post(f"{orders}/orders", json={"productId": TRACKED, "quantity": quantity}, timeout=10)
        keyed = {"Idempotency-Key": uuid4().hex}
        for _ in range(2):
            session.post(f"{orders}/orders", json={"productId": 1, "quantity": 1}, headers=keyed, timeout=10)
        session.post(f"{orders}/orders", json={"productId": 999, "quantity": 1}, timeout=10)
        session.post(f"{orders}/orders", data=b"{", headers={"Content-Type": "application/json"}, timeout=10)
        for path in (
            "/products?search=laptop",
            "/products/1",
            "/products/999",
            "/openapi.json",
            "/admin/login/",
            "/nowhere",
        ):
            session.get(f"{products}{path}", timeout=10)


def track_stock(product_id: int, stock: int) -> str:
    """Return the statement after which orders of a product need a reservation."""
    return f"UPDATE products_product SET stock = {stock} WHERE id = {product_id}"


def products_goes_and_comes_back(eventful: EventfulStack) -> None:
    """Stop products until the breaker has opened; start it as a new version with two workers."""
    stack = eventful.stack
    stack.products.kill()  # a normal stop takes seconds
    with ThreadPoolExecutor(4) as callers:
        for answer in callers.map(lambda _: stack.place_order(), range(CALLS_TO_OPEN)):
            assert answer.status_code == 500
    assert stack.orders.metric("http_client_requests_total", outcome="breaker_open") > 0
    assert eventful.door.ask("GET", "/products/1").status == 502
    wait_for_scrapes(eventful, jobs=("orders-service",))
    stack.products.env |= {"WEB_CONCURRENCY": "2", "SERVICE_VERSION": "v2"}
    stack.products.start()


def orders_loses_its_database(stack: Stack) -> None:
    """Start orders without its database, then restore the database."""
    stack.orders.kill()
    with database_away(stack.orders.env["DATABASE_URL"]):
        stack.orders.start(ready_within=0).wait_until_healthy()
        assert stack.place_order().status_code == 503
    stack.orders.wait_until_ready(30)


@contextmanager
def database_away(url: str) -> Iterator[None]:
    """Take away a database without connections."""
    if url.startswith("sqlite:///"):
        path, aside = Path(url.removeprefix("sqlite:///")), Path(url.removeprefix("sqlite:///") + ".aside")
        path.rename(aside)
        path.mkdir()  # otherwise SQLite creates a new file
        yield
        path.rmdir()
        aside.rename(path)
        return
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_aside"')
        yield
        connection.execute(f'ALTER DATABASE "{name}_aside" RENAME TO "{name}"')


def tables_go_missing(eventful: EventfulStack) -> None:
    """Make statements of both services fail by renaming their tables."""
    stack = eventful.stack
    tables = {
        "orders_order": (stack.orders, 1),
        "products_product": (stack.products, 1),
        "products_reservation": (stack.products, TRACKED),  # which leaves the order pending
    }
    for _ in range(2):  # a counter that starts with its first error has a rate only after the second
        for table, (service, product_id) in tables.items():
            url = service.env["DATABASE_URL"]
            execute(url, f"ALTER TABLE {table} RENAME TO aside")
            assert stack.place_order(product_id).status_code == 500
            requests.get(f"{stack.products.url}/products/1", timeout=10)
            execute(url, f"ALTER TABLE aside RENAME TO {table}")
        wait_for_scrapes(eventful)


def commands_run(stack: Stack) -> None:
    """Run commands that succeed, including the nightly ones, and one that fails."""
    runs = (
        (0, stack.products, ("seed_products",)),
        (0, stack.products, ("backup", "--to", str(stack.products.directory))),
        (0, stack.products, ("prune_backups", str(stack.products.directory), "--keep-daily", "1")),
        (1, stack.orders, ("place_order", "999", "1")),
    )
    with ThreadPoolExecutor(len(runs)) as side_by_side:
        ended = side_by_side.map(lambda run: manage(run[1].project, *run[2], env=run[1].env).returncode, runs)
        assert list(ended) == [run[0] for run in runs]


def wait_for_scrapes(eventful: EventfulStack, *, count: int = 2, jobs: tuple[str, ...] = tuple(JOBS)) -> None:
    """Wait for this number of further scrapes of each service."""
    last = f'min(timestamp(up{{job=~"{"|".join(jobs)}"}}))'
    for _ in range(count):
        before = time.time()
        eventful.prometheus.wait_until(
            lambda before=before: (eventful.prometheus.value(last) or 0) > before,  # type: ignore[misc]
            f"a scrape of {jobs}, which come every {SCRAPE_INTERVAL}",
        )


@contextmanager
def textfiles(directory: Path) -> Iterator[str]:
    """Yield the address of a replacement for the node exporter, which serves the commands' files."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"".join(path.read_bytes() for path in sorted(directory.glob("*.prom")))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def services_of(stack: Stack) -> dict[str, Service]:
    """Return each service by the name of its job."""
    return {job: getattr(stack, name) for job, name in JOBS.items()}
