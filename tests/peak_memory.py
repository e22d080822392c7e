"""Measure the peak memory of a new process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

# A process inherits ru_maxrss from its parent, and this process has grown. So a small process stands between them,
# without coverage (-I -S), which would enlarge it.
LAUNCHER = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def run_and_measure(
    command: list[str], *, env: Mapping[str, str], timeout: float = 100
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run a command without input; return its result and its peak resident memory in kB."""
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
