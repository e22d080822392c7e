"""Both services with everything happening to them, watched by a real Prometheus and a collector of traces."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import requests

from tests.observability.prometheus_server import SCRAPE_INTERVAL, Prometheus, running_prometheus
from tests.orders_database import execute
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.processes import Service, Stack, free_port, manage, running_stack

WINDOW = "5s"  # of rates: ten scrapes
JOBS = {"orders-service": "orders", "products-service": "products"}
TEXTFILES = "prometheus"  # the job whose target is replaced by the files of the commands: no test asks about Prometheus
ROUNDS = 4
CALLS_TO_OPEN = 25  # the breaker opens at 20 tries, half of them failed


@dataclass
class Watched:
    """What a test looks at; `started` is when Prometheus began to look."""

    stack: Stack
    prometheus: Prometheus
    collector: OtlpReceiver
    started: float

    def range(self, expr: str, *, step: float = 0.5) -> list[dict[str, Any]]:
        """Return an expression's series from the start to now, as a panel draws them."""
        found: list[dict[str, Any]] = self.prometheus.api(
            "query_range", query=expr, start=str(self.started), end=str(time.time()), step=str(step)
        )["result"]
        return found


@contextmanager
def watched_stack(directory: Path, *, rounds: int = ROUNDS) -> Iterator[Watched]:
    """Yield the stack after traffic that touched every metric; orders has one worker, so exemplars, products two."""
    commands = directory / "commands"
    commands.mkdir()
    with otlp_receiver() as collector, textfiles(commands) as address:
        env = {
            "JAEGER_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "COMMAND_METRICS_DIR": str(commands),
            "SERVICE_VERSION": "v1",
        }
        with running_stack(directory, **env) as stack:
            targets = {job: [f"127.0.0.1:{getattr(stack, name).port}"] for job, name in JOBS.items()}
            with running_prometheus(directory, targets | {TEXTFILES: [address]}) as prometheus:
                watched = Watched(stack, prometheus, collector, time.time())
                everything_happens(watched, rounds)
                yield watched


def everything_happens(watched: Watched, rounds: int) -> None:
    """Drive traffic that touches each metric, wait for a scrape after it, and drive some more, so that rates exist."""
    stack = watched.stack
    wait_for_scrapes(watched)
    for _ in range(rounds):
        ordinary_traffic(stack)
        wait_for_scrapes(watched)
    products_goes_and_comes_back(watched)
    orders_loses_its_database(stack)
    wait_for_scrapes(watched)
    orders_loses_its_table(stack)
    commands_run(stack)
    for _ in range(2):
        ordinary_traffic(stack)
        wait_for_scrapes(watched)


def ordinary_traffic(stack: Stack) -> None:
    """Send what clients send on a quiet day, mistakes included."""
    orders, products = stack.orders.url, stack.products.url
    with requests.Session() as session:
        for number in range(12):
            session.post(f"{orders}/orders", json={"productId": 1 + number % 2, "quantity": 1 + number % 3}, timeout=10)
        session.post(f"{orders}/orders", json={"productId": 999, "quantity": 1}, timeout=10)
        session.post(f"{orders}/orders", data=b"{", headers={"Content-Type": "application/json"}, timeout=10)
        for path in ("/products", "/products/1", "/products/999", "/openapi.json", "/admin/login/", "/nowhere"):
            session.get(f"{products}{path}", timeout=10)


def products_goes_and_comes_back(watched: Watched) -> None:
    """Stop products until the breaker has opened; start it as a new version with two workers."""
    stack = watched.stack
    stack.products.stop()
    for _ in range(CALLS_TO_OPEN):
        stack.place_order()
    wait_for_scrapes(watched, jobs=("orders-service",))
    stack.products.env |= {"WEB_CONCURRENCY": "2", "SERVICE_VERSION": "v2"}
    stack.products.start()


def orders_loses_its_database(stack: Stack) -> None:
    """Start orders where its database is not, and bring that back."""
    stack.orders.stop()
    with database_away(stack.orders.env["DATABASE_URL"]):
        stack.orders.start(ready_within=0).wait_until_healthy()
        assert stack.place_order().status_code == 500
    stack.orders.wait_until_ready(30)


@contextmanager
def database_away(url: str) -> Iterator[None]:
    """Take a database away that nobody is connected to."""
    if url.startswith("sqlite:///"):
        path, aside = Path(url.removeprefix("sqlite:///")), Path(url.removeprefix("sqlite:///") + ".aside")
        path.rename(aside)
        path.mkdir()  # else SQLite makes a new file
        yield
        path.rmdir()
        aside.rename(path)
        return
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_aside"')
        yield
        connection.execute(f'ALTER DATABASE "{name}_aside" RENAME TO "{name}"')


def orders_loses_its_table(stack: Stack) -> None:
    """Let one statement fail, by renaming the table below it."""
    url = stack.orders.env["DATABASE_URL"]
    execute(url, "ALTER TABLE orders_order RENAME TO orders_aside")
    assert stack.place_order().status_code == 500
    execute(url, "ALTER TABLE orders_aside RENAME TO orders_order")


def commands_run(stack: Stack) -> None:
    """Run a command that succeeds and one that fails."""
    assert manage("products_project", "seed_products", env=stack.products.env).returncode == 0
    assert manage("orders_project", "place_order", "999", "1", env=stack.orders.env).returncode == 1


def wait_for_scrapes(watched: Watched, *, count: int = 2, jobs: tuple[str, ...] = tuple(JOBS)) -> None:
    """Wait until each service has been scraped so many times more."""
    begun = time.time()
    for job in jobs:
        watched.prometheus.wait_until(
            lambda job=job: (
                (  # type: ignore[misc] # mypy infers no default's type
                    watched.prometheus.value(
                        f'count_over_time(up{{job="{job}"}}[{max(1, round(time.time() - begun))}s])'
                    )
                    or 0
                )
                >= count
            ),
            f"{count} scrapes of {job}, every {SCRAPE_INTERVAL}",
        )


@contextmanager
def textfiles(directory: Path) -> Iterator[str]:
    """Yield the address of what stands for the node exporter: it serves the files that commands have written."""

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
