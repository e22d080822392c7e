"""What each running service says of itself in /metrics: the counters that moved, and the work that waits."""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ops.development import store
from ops.turns import waiting

TIMEOUT = 1.0  # seconds for the answer of a service on this machine
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the environment's proxy is for other machines
WAITING = ("_pending", "_pending_age_seconds", "_dead", "_queue_length")  # ends of the names of gauges


@dataclass(frozen=True)
class Service:
    """A service, with series and values; `is_up` tells whether it answered."""

    name: str
    port: int
    is_up: bool
    waiting: Sequence[tuple[str, str]] = ()
    moved: Sequence[tuple[str, str]] = ()


def services(path: str) -> list[Service]:
    """Return each service that has started on this machine."""
    return [_look(name, port) for name, port in store.services(path)]


def _look(name: str, port: int) -> Service:
    try:
        with waiting, OPENER.open(f"http://localhost:{port}/metrics", timeout=TIMEOUT) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    except (OSError, ValueError):
        return Service(name, port, is_up=False)
    return Service(name, port, is_up=True, waiting=_waiting(families), moved=_moved(families))


def _waiting(families: Sequence[Metric]) -> list[tuple[str, str]]:
    gauges = (family for family in families if family.type == "gauge" and family.name.endswith(WAITING))
    return [
        (_series(sample.name, sample.labels), f"{sample.value:g}") for family in gauges for sample in family.samples
    ]


def _moved(families: Sequence[Metric]) -> list[tuple[str, str]]:
    return [
        (_series(sample.name, sample.labels), f"{sample.value:g}")
        for family in families
        if family.type == "counter" and not family.name.startswith(("python_", "process_"))
        for sample in family.samples
        if sample.value and not sample.labels.get("route", "").startswith("/dev")
    ]


def _series(name: str, labels: dict[str, str]) -> str:
    shown = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{shown}}}" if shown else name
