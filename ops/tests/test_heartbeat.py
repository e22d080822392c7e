"""The health check of commands that work in a loop."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ops.cli import heartbeat
from ops.config.service import ROOT


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_loop_that_beats_is_healthy() -> None:
    assert heartbeat.check() == "The loop has not begun."

    heartbeat.heartbeat_file().touch()

    assert heartbeat.check() is None


def test_a_loop_that_is_silent_is_not() -> None:
    heartbeat.heartbeat_file().touch()
    past = time.time() - 1000
    os.utime(heartbeat.heartbeat_file(), (past, past))

    assert heartbeat.check() == "The loop has been silent for 1000 s."


def test_the_check_is_a_program(tmp_path: Path) -> None:
    env = {"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli.heartbeat"], cwd=ROOT, env=env, capture_output=True, check=False
    )

    assert (done.returncode, done.stderr) == (1, b"The loop has not begun.\n")
