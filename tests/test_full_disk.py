"""Orders on a disk that fills up: it says so, loses nothing, and goes on once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.processes import Service, manage, running_stack

COUNT = "from orders_project.orders.models import Order; print(Order.objects.count())"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of a disk of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "disk", str(place)], check=False).returncode:
        assert "CI" not in os.environ, "CI must be allowed to mount a small disk"
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as filler, suppress(OSError):  # no space left
        while True:
            filler.write(bytes(4096))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def readiness(service: Service) -> requests.Response:
    return requests.get(f"{service.url}/readyz", timeout=30)


def test_a_full_disk_makes_orders_unready_and_loses_no_order(tmp_path: Path, disk: Path) -> None:
    with running_stack(tmp_path) as stack:
        orders = stack.orders
        orders.stop()
        shutil.copy(orders.env["DATABASE_URL"].removeprefix("sqlite:///"), disk / "orders.sqlite3")
        orders.env["DATABASE_URL"] = f"sqlite:///{disk}/orders.sqlite3"
        orders.start()
        assert stack.place_order().status_code == 201

        fill(disk / "filler")
        answers = [stack.place_order()]
        while answers[-1].status_code == 201:  # the journal may have room for some
            answers.append(stack.place_order())
        wait_until(lambda: readiness(orders).status_code == 503)

        assert (answers[-1].status_code, answers[-1].json()["code"]) == (503, "database_unavailable")
        assert "Retry-After" in answers[-1].headers
        assert "KiB are free on the database's disk" in readiness(orders).json()["probes"]["database"]

        (disk / "filler").unlink()
        wait_until(lambda: readiness(orders).status_code == 200)
        assert stack.place_order().status_code == 201
        placed = 1 + len(answers)  # the one before the disk was full and the last one, without the refused one
        done = manage("orders_project", "shell", "--no-imports", "--command", COUNT, env=orders.env)
        assert int(done.stdout) == placed
