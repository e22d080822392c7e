"""The shipped configuration in a real Jaeger keeps and counts as promised, and its traces outlive it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.observability.jaeger_server import OPERATION, PROGRAM, SERVICE, Jaeger, running_jaeger
from tests.observability.prometheus_server import Prometheus, running_prometheus
from tests.processes import manage, running_stack

NOT_TRIED = (
    "No jaeger on PATH and no JAEGER_BIN. Not tried: what tail sampling keeps at 0 %, smoke at 0 %, that the Monitor "
    "counts what is not kept, TracesLost from Jaeger's own metrics, traces after SIGKILL, deprecations at the start."
)
NO_DATABASE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}

if PROGRAM is None:
    pytest.skip(NOT_TRIED, allow_module_level=True)


@dataclass
class Watched:
    """A Jaeger that keeps 0 % of what may be dropped, and the Prometheus that scrapes it."""

    jaeger: Jaeger
    prometheus: Prometheus


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("jaeger")
    jaeger = Jaeger(directory, kept_percent=0, num_traces=50)
    with running_prometheus(directory, {"jaeger": jaeger.targets}) as prometheus:
        jaeger.prometheus = prometheus.url
        with running_jaeger(jaeger):
            yield Watched(jaeger, prometheus)


def test_it_keeps_errors_slow_traces_and_those_that_ask_and_drops_the_rest(watched: Watched) -> None:
    ordinary = watched.jaeger.send(count=5)
    kept = watched.jaeger.send(error=True) + watched.jaeger.send(seconds=0.4)
    kept += watched.jaeger.send(trace_state="argos=keep", count=5)

    watched.jaeger.wait_for(*kept)

    # They came first, so they were decided first.
    assert [trace_id for trace_id in ordinary if watched.jaeger.has(trace_id)] == []


def test_smoke_finds_its_trace_where_nothing_else_is_kept(watched: Watched, tmp_path: Path) -> None:
    with running_stack(tmp_path, JAEGER_ENDPOINT=watched.jaeger.endpoint) as stack:
        where = ["--products", stack.products.url, "--orders", stack.orders.url, "--jaeger", watched.jaeger.url]

        done = manage("orders_project", "smoke", "--json", *where, env=NO_DATABASE)

    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["steps"][-1]["step"] == "jaeger.trace"


def test_the_monitor_counts_spans_of_traces_that_are_not_kept(watched: Watched) -> None:
    def calls() -> list[object]:
        watched.jaeger.send(count=3)
        question = {
            "service": SERVICE,
            "groupByOperation": "true",
            "spanKind": "server",
            "endTs": str(time.time_ns() // 1_000_000),
            "lookback": "600000",
            "step": "1000",
            "ratePer": "60000",
        }
        answer = requests.get(f"{watched.jaeger.url}/api/metrics/calls", question, timeout=10).json()
        return [metric for metric in answer.get("metrics", []) if OPERATION in json.dumps(metric)]

    watched.prometheus.wait_until(calls, f"calls of {OPERATION} in the Monitor", within=90)


def test_traces_that_are_forgotten_undecided_raise_the_alert(watched: Watched) -> None:
    watched.jaeger.send(count=500)

    watched.prometheus.wait_for("otelcol_processor_tail_sampling_sampling_trace_dropped_too_early > 0")
    watched.prometheus.wait_for('ALERTS{alertname="TracesLost", alertstate="firing", service="jaeger"}')


@pytest.mark.parametrize("name", ["otelcol_receiver_refused_spans", "otelcol_receiver_failed_spans"])
def test_the_metrics_of_the_alert_and_its_runbook_are_there_before_anything_is_lost(
    watched: Watched, name: str
) -> None:
    watched.jaeger.send()

    watched.prometheus.wait_for(name)


def test_traces_are_there_after_it_was_killed(tmp_path: Path) -> None:
    with running_jaeger(Jaeger(tmp_path)) as jaeger:
        sent = jaeger.send(count=20)
        jaeger.wait_for(*sent)
        jaeger.kill()

        jaeger.start()

        jaeger.wait_for(*sent, within=10)


def test_it_starts_without_a_word_of_what_is_deprecated(watched: Watched) -> None:
    assert [line for line in watched.jaeger.log.read_text().splitlines() if "deprecat" in line.lower()] == []
