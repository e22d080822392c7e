"""A log line that cannot be written changes no answer, no exit code and no count; it is only counted."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest
import structlog
from prometheus_client import REGISTRY

from ops.config.service import ROOT
from ops.telemetry.log_stream import Handler, LogStream, guarded

PROGRAM = """
import logging, sys
import django
django.setup()
import structlog
from prometheus_client import REGISTRY
from ops.telemetry import metrics
structlog.get_logger("test").info("order.placed", order_id=1)
logging.getLogger("some.library").error("It said %s", "so")
sys.exit(40 + int(REGISTRY.get_sample_value("log_lines_lost_total")))
"""


def exit_code(stdout: IO[Any] | int, **env: str) -> int:
    """Return 40 and the number of the lines that were lost, or the code of a failure."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "ops.tests.settings", "PYTHONPATH": str(ROOT)} | env,
        stdout=stdout,
        timeout=60,
        check=False,
    ).returncode


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_lines_for_a_full_disk_are_lost_and_counted(log_format: str) -> None:
    with Path("/dev/full").open("wb") as full:
        assert exit_code(full, LOG_FORMAT=log_format) == 42


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_lines_for_a_pipe_without_a_reader_are_lost_and_counted(log_format: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert exit_code(writing, LOG_FORMAT=log_format) == 42
    finally:
        os.close(writing)


def test_lines_without_any_standard_output_are_lost_and_counted() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, PROGRAM],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "ops.tests.settings", "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )

    assert done.returncode == 42


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_character_that_the_stream_lacks_is_escaped(encoding: str) -> None:
    program = PROGRAM.replace("order_id=1", "path='/caf\\xe9/\\u20ac/\\ud800'")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={
            "DJANGO_SETTINGS_MODULE": "ops.tests.settings",
            "PYTHONPATH": str(ROOT),
            "LOG_FORMAT": "console",
            "PYTHONIOENCODING": encoding,
        },
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 40, done.stderr
    line = done.stdout.decode(encoding).splitlines()[0]
    shown = {"ascii": "/caf\\xe9/\\u20ac/", "latin-1": "/caf\xe9/\\u20ac/", "utf-8": "/caf\xe9/\u20ac/"}[encoding]
    assert shown in line


def lost() -> float:
    return REGISTRY.get_sample_value("log_lines_lost_total") or 0


def test_an_event_that_cannot_be_rendered_is_lost_and_counted() -> None:
    def broken(*_: Any) -> str:
        raise RuntimeError("broken")

    before = lost()

    with pytest.raises(structlog.DropEvent):
        guarded(broken)(None, "info", {})

    assert lost() == before + 1


def test_a_record_that_cannot_be_formatted_is_lost_and_counted(capfd: pytest.CaptureFixture[str]) -> None:
    before = lost()

    Handler(LogStream("stdout")).handle(logging.LogRecord("x", logging.ERROR, "", 1, "%d", ("text",), None))

    assert lost() == before + 1
    assert capfd.readouterr() == ("", "")
