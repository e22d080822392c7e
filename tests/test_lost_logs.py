"""An order is worth more than its log line: without a place for the log, answers, counts and commands stay right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import requests

from tests.processes import ROOT, Service, Stack, clean_environment, running_stack


@contextmanager
def full_disk() -> Iterator[IO[bytes] | int]:
    with Path("/dev/full").open("wb") as stream:
        yield stream


@contextmanager
def dead_reader() -> Iterator[IO[bytes] | int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@contextmanager
def silent_orders(stack: Stack, stdout: IO[bytes] | int) -> Iterator[Service]:
    """Run a second orders service, whose log goes nowhere."""
    service = Service("orders_project", stack.orders.directory, dict(stack.orders.env))
    env = service.env | {"DJANGO_SETTINGS_MODULE": "orders_project.settings", "PORT": str(service.port)}
    service.log_path.touch()
    service.process = subprocess.Popen(
        [sys.executable, "-m", "ops.server"],
        cwd=ROOT,
        env=clean_environment(env),
        stdout=stdout,
        stderr=stdout,
        start_new_session=True,
    )
    service.wait_until_ready(60)
    try:
        yield service
    finally:
        service.kill()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.mark.parametrize("place", [full_disk, dead_reader])
def test_orders_are_answered_and_counted_without_a_log(stack: Stack, place: type) -> None:
    with place() as stdout, silent_orders(stack, stdout) as orders:
        answers = [
            requests.post(f"{orders.url}/orders", json={"productId": 1, "quantity": 1}, timeout=30) for _ in range(3)
        ]
        missing = requests.get(f"{orders.url}/caf\xe9", timeout=30)

        assert [answer.status_code for answer in answers] == [201] * 3
        assert all(answer.headers["X-Request-ID"] for answer in answers)
        assert missing.status_code == 404
        assert orders.metric("http_requests_total", method="POST", route="/orders", status="201") == 3
        assert orders.metric("log_lines_lost_total") >= 4
        assert orders.stop() == 0


@pytest.mark.parametrize("command", [["recover_orders", "--once"], ["purge_orders", "--help"], ["doctor", "--json"]])
def test_a_command_ends_as_ever_without_a_place_for_its_log(stack: Stack, command: list[str], tmp_path: Path) -> None:
    def run(stderr: IO[bytes] | int) -> int:
        return subprocess.run(
            [sys.executable, "orders_project/manage.py", *command],
            cwd=ROOT,
            env=clean_environment(stack.orders.env | {"TMPDIR": str(tmp_path)}),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            timeout=60,
            check=False,
        ).returncode

    with full_disk() as stream:
        assert run(stream) == run(subprocess.DEVNULL)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_path_that_the_console_cannot_show_is_answered_and_logged(stack: Stack, encoding: str) -> None:
    env = stack.orders.env | {"LOG_FORMAT": "console", "PYTHONIOENCODING": encoding}
    orders = Service("orders_project", stack.orders.directory, env).start()
    try:
        assert requests.get(f"{orders.url}/caf\xe9/\u20ac", timeout=30).status_code == 404
        assert "GET /caf" in orders.log_path.read_text(encoding=encoding)
    finally:
        orders.kill()
