"""The load of the profile `demo` fills the dashboards: real services behind the gateway, a real Prometheus."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from grafana import make_dashboards
from grafana.panels import Dashboard
from tests.gateway import gateway
from tests.observability.eventful_stack import JOBS, LOOPS, PUSHED, textfiles
from tests.observability.loops import Loop
from tests.observability.prometheus_server import Prometheus, running_prometheus
from tests.observability.test_queries import as_grafana_sends_it, is_excepted
from tests.processes import ROOT, clean_environment, manage, running_stack

SECONDS = 5
LOAD = (sys.executable, "-m", "demo.load", "--seconds", str(SECONDS))
DASHBOARDS = make_dashboards.dashboards()
# Panels of faults, which the load alone does not bring.
EMPTY = {
    "Database errors by type": "no statement fails",
    "Recovery": "no order stays pending",
    "Time since the last failure": "no command fails",
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, float, str]]:
    """Yield Prometheus, the time of its start, and what the load said."""
    directory = tmp_path_factory.mktemp("loaded")
    commands = directory / "commands"
    commands.mkdir()
    with ExitStack() as exits:
        pushed = exits.enter_context(textfiles(commands))
        stack = exits.enter_context(running_stack(directory, COMMAND_METRICS_DIR=str(commands)))
        stack.orders.env["EVENTS_URL"] = f"{stack.products.url}/events"
        loops = {job: Loop(stack.orders, command) for job, command in LOOPS.items()}
        for loop in loops.values():
            exits.callback(loop.stop)
            loop.start()
        behind = {f"GATEWAY_{name.upper()}": f"127.0.0.1:{getattr(stack, name).port}" for name in JOBS.values()}
        door = exits.enter_context(gateway(**behind))
        targets = {job: [f"127.0.0.1:{getattr(stack, name).port}"] for job, name in JOBS.items()}
        targets |= {job: [loop.address] for job, loop in loops.items()} | {PUSHED: [pushed]}
        targets["gateway"] = [door.status_url.removeprefix("http://")]
        prometheus = exits.enter_context(running_prometheus(directory, targets))
        started = time.time()
        assert manage("products_project", "seed_products", env=stack.products.env).returncode == 0
        prometheus.wait_for(f'up{{job="{next(iter(LOOPS))}"}} == 1')
        done = subprocess.run(
            [*LOAD, f"--products=http://127.0.0.1:{door.port}", f"--orders=http://127.0.0.1:{door.port}"],
            cwd=ROOT,
            env=clean_environment({}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield prometheus, started, done.stdout


def test_the_load_is_answered_and_has_some_mistakes(loaded: tuple[Prometheus, float, str]) -> None:
    seed, sent = loaded[2].splitlines()

    assert seed == f"Seed 1, 20 requests a second for {SECONDS} s."
    assert sent.startswith(f"Sent {20 * SECONDS} requests: ")
    assert all(f" x {status}" in sent for status in (200, 201, 400))


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_the_load_fills_every_panel(loaded: tuple[Prometheus, float, str], dashboard: Dashboard) -> None:
    prometheus, started, _ = loaded

    def is_empty(expr: str) -> bool:
        sent = as_grafana_sends_it(expr, "orders-service")
        when = {"start": str(started), "end": str(time.time()), "step": "0.5"}
        return not is_excepted(sent) and not prometheus.api("query_range", query=sent, **when)["result"]

    panels = [panel for row in dashboard.rows.values() for panel in row]
    empty = {panel.title for panel in panels if all(map(is_empty, panel.queries))}

    assert empty <= EMPTY.keys()


def test_every_exception_is_still_of_a_panel() -> None:
    titles = {panel.title for dashboard in DASHBOARDS for row in dashboard.rows.values() for panel in row}

    assert EMPTY.keys() <= titles
