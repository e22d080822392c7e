"""Keep standard streams from ending a command: a stream may be closed, full, without a reader, or in ASCII.

A command still fails if standard output refuses its rows or its result. Lines for standard error are dropped in
silence: the work is worth more than a log line about it.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

INPUT, OUTPUT, ERRORS = 0, 1, 2  # the descriptors


class LossyFile(io.FileIO):
    """Take every byte, and drop those that the descriptor refuses."""

    def write(self, data: Buffer) -> int:
        try:
            return super().write(data) or memoryview(data).nbytes  # None: a pipe that does not block is full
        except OSError:
            return memoryview(data).nbytes


def protect() -> None:
    """Open the streams that are closed, and let no text and no fault of standard error raise; call it once."""
    for descriptor in (INPUT, OUTPUT, ERRORS):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest free descriptor; a write still fails
    if sys.stdin is None:
        sys.stdin = open(INPUT, closefd=False)  # noqa: SIM115 - open as long as the process
    if sys.stdout is None:
        sys.stdout = _lossy(OUTPUT, "utf-8")
    else:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a TextIOWrapper, as Python made it
    sys.stderr = _lossy(ERRORS, sys.stderr.encoding if sys.stderr is not None else "utf-8")


def settle() -> None:
    """Write what standard output still holds; where that fails, drop it, or Python tries again and exits with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()


def discard_output() -> None:
    """Let standard output lead nowhere from now on."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)


def _lossy(descriptor: int, encoding: str) -> TextIO:
    file = LossyFile(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(file), encoding, errors="backslashreplace", line_buffering=True)
