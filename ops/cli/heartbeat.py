"""The health check of a command that works in a loop: `python -m ops.cli.heartbeat`.

The loop touches a file in the temporary folder, which each container has for itself. The check reads its age.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

LONGEST_SILENCE = 90.0  # seconds: more than the longest pause of a loop


def heartbeat_file() -> Path:
    """Return the file that the loop touches; raise OSError without a temporary folder."""
    return Path(tempfile.gettempdir()) / "argos-heartbeat"


def check() -> str | None:
    """Return the fault of the loop, or None."""
    try:
        silence = time.time() - heartbeat_file().stat().st_mtime
    except OSError as error:
        return "The loop has not begun." if isinstance(error, FileNotFoundError) else f"No heartbeat: {error}."
    return None if silence <= LONGEST_SILENCE else f"The loop has been silent for {silence:.0f} s."


if __name__ == "__main__":
    sys.exit(check())
