"""The health check of a command that works in a loop and serves no port: `python -m ops.cli.heartbeat`.

The loop touches a file in the temporary folder, which a container has to itself; the check looks at its age.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

LONGEST_SILENCE = 90.0  # seconds: more than the longest pause of a loop


def heartbeat_file() -> Path:
    """Return the file that the loop touches."""
    return Path(tempfile.gettempdir()) / "argos-heartbeat"


def beat() -> None:
    """Say that the loop is alive."""
    heartbeat_file().touch()


def check() -> str | None:
    """Return what is wrong with the loop, or None."""
    try:
        silence = time.time() - heartbeat_file().stat().st_mtime
    except FileNotFoundError:
        return "The loop has not begun."
    return None if silence <= LONGEST_SILENCE else f"The loop has been silent for {silence:.0f} s."


if __name__ == "__main__":
    sys.exit(check())
