"""Run the scripts that make a service, and what they made, in a copy of the repository."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import clean_environment
from tests.test_make_run import READY, running


def run(checkout: Path, *command: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; fail on another exit code."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=checkout,
        env=clean_environment({}),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@contextmanager
def serving(checkout: Path, *variable: str, products: int, orders: int) -> Iterator[bytes]:
    """Yield what `make run` said until it was ready; its output goes to a file, as nothing reads it meanwhile."""
    output = checkout.with_suffix(".log")
    command = ("env", *variable, "make", "run")
    with output.open("wb") as log, running(checkout, *command, products=products, orders=orders, stdout=log) as process:
        while READY not in (said := output.read_bytes()):
            assert process.poll() is None, said.decode()
            time.sleep(0.05)
        try:
            yield said
        finally:
            sys.stdout.write(output.read_text())  # pytest shows it where the test fails
