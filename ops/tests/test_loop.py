"""A command that loops serves its metrics and touches its heartbeat; neither can end it."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
import requests
from django.conf import settings
from django.core.management.base import CommandParser
from django.test import override_settings
from prometheus_client import Counter
from structlog.testing import capture_logs

from ops.cli.command import Result
from ops.cli.heartbeat import check
from ops.cli.loop import LoopCommand
from ops.tests.run_command import run

things = Counter("things_done_total", "Things that were done.", registry=None)


class Loop(LoopCommand):
    """Do two things, and see what is served meanwhile."""

    counters = (things,)
    served = ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true")

    def perform(self, *, once: bool, **options: Any) -> Result:
        for _ in range(2):
            self.beat()
            things.inc()
        port = settings.CONFIG.worker_metrics_port
        if port and not once:
            self.served = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
        return Result("Done.")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def at(port: int) -> override_settings:
    return override_settings(CONFIG=settings.CONFIG.model_copy(update={"worker_metrics_port": port}))


@pytest.fixture
def port() -> int:
    """Return a port below the kernel's range for outgoing connections, one of which could take it."""
    return SystemRandom().randrange(10_000, 32_000)


def test_it_serves_its_own_counts_and_those_of_the_process_while_it_runs(port: int) -> None:
    loop = Loop()
    with at(port):
        assert run(loop)[0] == 0

    assert f"things_done_total {things._value.get()}" in loop.served
    assert "process_resident_memory_bytes" in loop.served
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5)


def test_a_port_that_is_in_use_costs_a_warning() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken, at(taken.getsockname()[1]), capture_logs() as logs:
        loop = Loop()
        loop.perform = lambda **_: Result("Done.")  # type: ignore[method-assign] # it would ask the other server
        assert run(loop)[:2] == (0, "Done.\n")

    assert [line["event"] for line in logs] == ["loop.metrics_not_served", "command.finished"]


def test_once_serves_nothing_and_leaves_no_heartbeat(port: int) -> None:
    with at(port):
        assert run(Loop(), "--once")[0] == 0

    assert check() == "The loop has not begun."


def test_a_heartbeat_that_fails_costs_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    with capture_logs() as logs:
        assert run(Loop())[0] == 0

    assert [line["event"] for line in logs] == ["loop.heartbeat_failed", "command.finished"]
