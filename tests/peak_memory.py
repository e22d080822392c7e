"""Measure how much memory a process of its own has needed at the most."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

# A process inherits, in ru_maxrss, the size of the one that starts it, and this one has grown by then: so a small
# one stands between the two. It is not measured for coverage (-I -S), or it would not be small.
LAUNCHER = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def run_and_measure(
    command: list[str], *, env: Mapping[str, str], timeout: float = 100
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run a command to its end without any input; return how it ended, and its peak of resident memory in kB."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAUNCHER, *command],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    *lines, peak = done.stderr.splitlines()
    done.stderr = "\n".join(lines)
    return done, int(peak)
