"""Gauges from the database are fresh enough and never make a scrape fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ops.telemetry import backlog as module
from ops.telemetry.backlog import Backlog, backlog, register_backlog
from ops.telemetry.metrics import current_registry


@pytest.fixture
def gauges() -> Backlog:
    return Backlog()


def shown(gauges: Backlog) -> str:
    registry = CollectorRegistry()
    registry.register(gauges)
    return generate_latest(registry).decode()


def test_it_shows_what_is_read(gauges: Backlog) -> None:
    gauges.register("things_pending", "Things that wait.", lambda: 3)

    assert shown(gauges) == "# HELP things_pending Things that wait.\n# TYPE things_pending gauge\nthings_pending 3.0\n"


def test_it_reads_once_in_a_while_however_often_it_is_scraped(gauges: Backlog) -> None:
    answers = iter([1.0, 2.0])
    gauges.register("things_pending", "Things that wait.", lambda: next(answers))

    assert [shown(gauges)[-4:] for _ in range(3)] == ["1.0\n"] * 3
    gauges.forget()
    assert shown(gauges)[-4:] == "2.0\n"


def test_what_cannot_be_read_has_no_value_and_the_others_have_theirs(gauges: Backlog) -> None:
    def fail() -> float:
        raise OSError("the database is away")

    gauges.register("things_pending", "Things that wait.", lambda: 1)
    gauges.register("things_dead", "Things given up.", fail)

    text = shown(gauges)
    gauges.forget()

    assert "things_pending 1.0" in text
    assert "# TYPE things_dead gauge\n" in text
    assert "things_dead 0" not in text
    assert shown(gauges) == text


def test_a_database_that_hangs_costs_a_scrape_a_moment_and_its_old_values(
    gauges: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.05)
    hang, entered = threading.Event(), threading.Event()
    gauges.register("things_pending", "Things that wait.", lambda: 1)
    assert "things_pending 1.0" in shown(gauges)

    def wait() -> float:
        entered.set()
        hang.wait(30)
        return 2

    gauges.register("things_pending", "Things that wait.", wait)
    assert "things_pending 1.0" not in shown(gauges)
    gauges.forget()
    assert "things_pending 1.0" not in shown(gauges)  # and no second thread, as the first one still runs
    entered.wait(30)
    hang.set()

    deadline = time.monotonic() + 30
    while "things_pending 2.0" not in shown(gauges) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "things_pending 2.0" in shown(gauges)


@pytest.fixture
def _registered() -> Iterator[None]:
    register_backlog("things_pending", "Things that wait.", lambda: 7)
    yield
    backlog.unregister("things_pending")


@pytest.mark.usefixtures("_registered")
def test_it_is_shown_whichever_of_several_workers_is_asked(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"things_pending 7.0" in generate_latest(current_registry())

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    assert generate_latest(current_registry()).count(b"\nthings_pending 7.0") == 1
