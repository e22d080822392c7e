"""Other commands of the same manage.py, each in a process of its own, at a time of day."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

from ops.cli.pacing import CHECK_EVERY


def next_run(now: datetime, at: time) -> datetime:
    """Return the next moment that has this time of day, of UTC."""
    today = datetime.combine(now.astimezone(UTC).date(), at, tzinfo=UTC)
    return today if today > now else today + timedelta(days=1)


def run_command(line: str, *, is_stopping: Callable[[], bool]) -> int:
    """Run one command to its end and return its exit code; pass a request to stop on to it, once."""
    program = [sys.executable, sys.argv[0], *shlex.split(line)]
    # A session of its own: a Ctrl-C would reach it twice, and a second signal ends it at once.
    process = subprocess.Popen(program, start_new_session=True)  # noqa: S603 - this manage.py
    told = False
    try:
        while True:
            if is_stopping() and not told:
                process.terminate()
                told = True
            try:
                return process.wait(CHECK_EVERY)
            except subprocess.TimeoutExpired:
                pass
    finally:
        if process.poll() is None:  # a second signal ends this process at once
            process.kill()
