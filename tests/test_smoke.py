"""The smoke test as a process, against both services, a real Prometheus and Jaeger's API."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.jaeger_api import jaeger_api
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.processes import Stack, free_port, manage, running_stack

# Nothing listens there: a smoke test runs outside, without access to the database of orders.
NO_DATABASE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}


@dataclass
class Running:
    """A stack and the options of smoke for it."""

    stack: Stack
    collector: OtlpReceiver
    options: list[str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("smoke")
    with ExitStack() as exits:
        collector = exits.enter_context(otlp_receiver())
        env = {"JAEGER_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", "WEB_CONCURRENCY": "2"}
        stack = exits.enter_context(running_stack(directory, **env))
        options = ["--products", stack.products.url, "--orders", stack.orders.url]
        options += ["--jaeger", exits.enter_context(jaeger_api(collector))]
        if program := shutil.which("prometheus"):  # Debian's; .ci/run installs it
            options += ["--prometheus", exits.enter_context(prometheus(program, directory, stack))]
        yield Running(stack, collector, options)


@contextmanager
def prometheus(program: str, directory: Path, stack: Stack) -> Iterator[str]:
    """Yield the URL of a Prometheus that scrapes orders each second."""
    address = f"127.0.0.1:{free_port()}"
    scrape = {"job_name": "orders-service", "static_configs": [{"targets": [f"127.0.0.1:{stack.orders.port}"]}]}
    config = directory / "prometheus.json"  # JSON is YAML
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}))
    options = {
        "config.file": config,
        "storage.tsdb.path": directory / "prometheus",
        "web.listen-address": address,
    }
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log
        )
    try:
        ready = manage("orders_project", "wait_for", f"http://{address}/-/ready", env=NO_DATABASE)
        assert ready.returncode == 0, (directory / "prometheus.log").read_text()
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def smoke(running: Running, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return manage("orders_project", "smoke", *running.options, *options, env=NO_DATABASE | env)


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_healthy_stack_keeps_every_promise(running: Running) -> None:
    created = running.stack.orders.metric("orders_created_total")

    # Its own traces go elsewhere, otherwise one of them would contain the order.
    done = smoke(running, "--json", JAEGER_ENDPOINT="http://127.0.0.1:1/v1/traces")

    assert done.returncode == 0, done.stdout
    report = report_of(done)
    assert {step["outcome"] for step in report["steps"]} == {"kept"}
    names = [step["step"] for step in report["steps"]]
    assert names[-1] == "jaeger.trace"
    assert ("prometheus.counter" in names) == ("--prometheus" in running.options)
    assert running.stack.orders.metric("orders_created_total") == created + 1


def test_every_span_of_the_order_asks_the_collector_to_keep_its_trace(running: Running) -> None:
    assert smoke(running, JAEGER_ENDPOINT="").returncode == 0

    spans = running.collector.spans
    asking = {span.trace_id for span in spans if span.trace_state == "argos=keep"}
    orders = {span.trace_id for span in spans if span.trace_id in asking and span.name.startswith("INSERT")}
    assert orders
    for order in orders:
        assert {span.service for span in spans if span.trace_id == order} == {"orders-service", "products-service"}
        assert {span.trace_state for span in spans if span.trace_id == order} == {"argos=keep"}


def test_a_stack_without_products_breaks_the_first_promise_and_nothing_is_ordered(running: Running) -> None:
    created = running.stack.orders.metric("orders_created_total")
    running.stack.products.stop()
    try:
        done = smoke(running)
    finally:
        running.stack.products.start()

    first, *others = done.stdout.splitlines()
    assert done.returncode == 1
    assert first.startswith("broken     products.health")
    assert all(line.startswith("not tried") for line in others)
    assert done.stderr.splitlines()[-1].endswith(
        f"products.health: expected an answer of {running.stack.products.url}/healthz within 5 s, "
        "found Connection refused"
    )
    assert running.stack.orders.metric("orders_created_total") == created
