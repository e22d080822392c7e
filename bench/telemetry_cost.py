"""Measure the cost and the volume of telemetry: `python -m bench.telemetry_cost` prints two tables.

The volume of 1,000 orders is that of both services together. A scrape is one of orders after a request to every route.
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests

from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.processes import Service, Stack, prepared, running_stack

ORDERS = 1_000
WORKERS = (1, 4, 16)
SCRAPES = 20
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@dataclass(frozen=True)
class Scrape:
    """The size and the time of one scrape."""

    milliseconds: float
    size: int
    series: int


def place(stack: Stack, count: int) -> None:
    """Place this number of orders, four at a time."""

    def some(_: int) -> None:
        with requests.Session() as session:
            for number in range(count // 4):
                body = {"productId": 1 + number % 2, "quantity": 2}
                session.post(f"{stack.orders.url}/orders", json=body, timeout=30).raise_for_status()

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(some, range(4)))


def ask_everything(stack: Stack) -> None:
    """Cause every label value: routes, statuses, refusals."""
    for service in (stack.orders, stack.products):
        for path in ("/openapi.json", "/docs", "/admin/login/", "/nowhere", "/orders", "/products", "/products/1"):
            requests.get(f"{service.url}{path}", timeout=30)
    stack.place_order(product_id=999)
    requests.post(f"{stack.orders.url}/orders", data=b"{", timeout=30)


def scrape(service: Service, accept: str = OPENMETRICS) -> Scrape:
    """Return the median of several scrapes."""
    took, body = [], ""
    with requests.Session() as session:
        for _ in range(SCRAPES):
            started = time.perf_counter()
            body = session.get(f"{service.url}/metrics", headers={"Accept": accept}, timeout=60).text
            took.append((time.perf_counter() - started) * 1000)
    series = sum(1 for line in body.splitlines() if line and not line.startswith("#"))
    return Scrape(statistics.median(took), len(body), series)


def settled(collector: OtlpReceiver) -> None:
    """Wait until no more spans arrive."""
    before, deadline = -1, time.monotonic() + 30
    while len(collector.bodies) != before and time.monotonic() < deadline:
        before = len(collector.bodies)
        time.sleep(1)


def volume() -> str:
    """Return the table of the telemetry of 1,000 orders."""
    with (
        tempfile.TemporaryDirectory() as folder,
        otlp_receiver() as collector,
        running_stack(Path(folder), JAEGER_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="200") as stack,
    ):
        place(stack, 40)
        settled(collector)
        services = (stack.orders, stack.products)
        logged = sum(service.log_path.stat().st_size for service in services)
        lines = sum(len(service.log_lines()) for service in services)
        sent, spans = sum(map(len, collector.bodies)), len(collector.spans)
        series = sum(scrape(service).series for service in services)
        place(stack, ORDERS)
        settled(collector)
        more = {
            "log lines": sum(len(service.log_lines()) for service in services) - lines,
            "bytes of log": sum(service.log_path.stat().st_size for service in services) - logged,
            "spans": len(collector.spans) - spans,
            "bytes of spans, OTLP": sum(map(len, collector.bodies)) - sent,
            "new series": sum(scrape(service).series for service in services) - series,
        }
    return "\n".join(
        [f"| for {ORDERS:,} orders | |", "|---|---|", *(f"| {name} | {value:,} |" for name, value in more.items())]
    )


def scrapes() -> str:
    """Return the table of the cost of a scrape."""
    rows = ["| workers | series | bytes | milliseconds |", "|---|---|---|---|"]
    for workers in WORKERS:
        with (
            tempfile.TemporaryDirectory() as folder,
            running_stack(Path(folder), WEB_CONCURRENCY=str(workers)) as stack,
        ):
            ask_everything(stack)
            place(stack, 400)
            found = scrape(stack.orders)
            rows.append(f"| {workers} | {found.series:,} | {found.size:,} | {found.milliseconds:.0f} |")
    return "\n".join(rows)


def main() -> None:
    """Measure and print."""
    print(f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    with prepared:
        print(f"{volume()}\n\n{scrapes()}")


if __name__ == "__main__":
    main()
