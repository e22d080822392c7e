"""The folder of the workers' metric files: one for each master, removed by the next one if it was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the second choice, where the folder for temporary files cannot be written


def make(service: str) -> Path:
    """Remove the folders that killed masters left, and make a new one; end the process where none can be made.

    The lock on the folder belongs to this master and its workers; the kernel releases it when the last one ends.
    """
    prefix = f"argos-{service}-metrics-"
    for place in _places():
        _sweep(place, prefix)
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
            fcntl.flock(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.exists():  # and not swept by another master in between
                return folder
    raise SystemExit("No folder for the metrics of several workers can be written: set TMPDIR, or WEB_CONCURRENCY=1.")


def _places() -> Iterator[str]:
    with contextlib.suppress(OSError):  # not one that can be written
        yield tempfile.gettempdir()
    yield SHARED_MEMORY


def _sweep(place: str, prefix: str) -> None:
    for folder in Path(place).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # it is in use, or another user's
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
