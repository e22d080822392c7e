"""Fault points break one step once, and only if they are armed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.testing import fault_points
from ops.testing.fault_points import Action, FaultInjected, fault_point, fired, switch_on
from ops.tests.settings import PlainConfig
from ops.tests.test_config import PRODUCTION

STEP = """
import sys
from ops.testing.fault_points import fault_point, switch_on
switch_on(sys.argv[1])
with fault_point("a.step"):
    print("taken", flush=True)
print("past", flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """Enable the points; return the file that arms them."""
    path = tmp_path / "fault"
    switch_on(str(path))
    yield path
    switch_on(None)


def test_a_point_that_is_not_switched_on_does_nothing() -> None:
    with fault_point("a.step") as nothing:
        assert nothing is None


def test_a_point_that_is_not_armed_does_nothing(file: Path) -> None:
    with fault_point("a.step"):
        pass
    file.write_text("another.step:exception")
    with fault_point("a.step"):
        pass

    assert file.exists()


def test_an_exception_comes_after_the_step_and_only_once(file: Path) -> None:
    file.write_text("a.step:exception\n")
    steps = []

    with pytest.raises(FaultInjected, match=r"a\.step"), fault_point("a.step"):
        steps.append("first")
    with fault_point("a.step"):
        steps.append("second")

    assert steps == ["first", "second"]
    assert fired(file).exists()


def test_a_step_that_fails_by_itself_fails_as_it_would(file: Path) -> None:
    file.write_text("a.step:exception")

    with pytest.raises(ZeroDivisionError), fault_point("a.step"):
        raise ZeroDivisionError

    assert file.exists()


def test_a_hang_lasts_until_it_is_released(file: Path) -> None:
    file.write_text("a.step:hang")

    def pass_by() -> None:
        with fault_point("a.step"):
            pass

    thread = threading.Thread(target=pass_by, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not fired(file).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert thread.is_alive()
    fired(file).unlink()
    thread.join(30)

    assert not thread.is_alive()


def test_a_hang_ends_by_itself(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_points, "HANG_SECONDS", 0.01)
    file.write_text("a.step:hang")

    with fault_point("a.step"):
        pass

    assert fired(file).exists()


@pytest.mark.parametrize(("action", "printed"), [(Action.CRASH_BEFORE, ""), (Action.CRASH_AFTER, "taken\n")])
def test_a_crash_is_a_kill_before_or_after_the_step(tmp_path: Path, action: Action, printed: str) -> None:
    file = tmp_path / "fault"
    file.write_text(f"a.step:{action}")

    crashed, spared = (
        subprocess.run([sys.executable, "-c", STEP, str(file)], capture_output=True, text=True, timeout=60, check=False)
        for _ in range(2)
    )

    assert crashed.returncode == -signal.SIGKILL
    assert [line for line in crashed.stdout.splitlines() if "fault_point.fired" not in line] == printed.split()
    assert (spared.returncode, spared.stdout) == (0, "taken\npast\n")


def test_production_refuses_fault_points() -> None:
    assert PlainConfig.read({"FAULT_POINT": "/tmp/fault"}).faults == {}
    assert dict(PlainConfig.read(PRODUCTION | {"FAULT_POINT": "/tmp/fault"}).faults) == {
        "FAULT_POINT": "must not be set in production"
    }
