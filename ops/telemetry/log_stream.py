"""Where log lines go: a stream that may be full, closed or unable to show a character. A lost line is only counted."""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def count_lost() -> None:
    """Count a line that is lost.

    Where the metrics are not loaded, as in gunicorn's master, they are not to be: see ops.telemetry.metrics.
    """
    if metrics := sys.modules.get("ops.telemetry.metrics"):
        metrics.log_lines_lost_total.inc()


class LogStream:
    """Write each line to sys.stdout or sys.stderr at once, past Python's buffer.

    The buffer would keep a line that a full disk refused, and change the exit code for it when the process ends.
    """

    def __init__(self, name: str) -> None:
        self._stream: Any = getattr(sys, name)
        self._encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._descriptor: int | None = self._stream.fileno()
        except (AttributeError, io.UnsupportedOperation):  # closed from the start, or replaced by a test
            self._descriptor = None

    def write(self, line: str | bytes) -> None:
        """Write a line; count it where that fails."""
        data = line if isinstance(line, bytes) else line.encode(self._encoding, "backslashreplace")
        try:
            if self._descriptor is None:
                self._stream.write(data.decode(self._encoding))
            else:
                while data:
                    data = data[os.write(self._descriptor, data) :]
        except (OSError, ValueError, AttributeError):
            count_lost()

    def flush(self) -> None:
        """Do nothing: a line is written at once."""

    def isatty(self) -> bool:
        """Tell whether a person may be reading."""
        return self._stream is not None and bool(self._stream.isatty())


class Handler(logging.StreamHandler[LogStream]):
    """Count the records of the standard library that cannot be formatted, without a word on another stream."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        count_lost()


def guarded(processor: Processor) -> Processor:
    """Return a processor whose failure costs the line, and not what was to be logged."""

    def process(logger: WrappedLogger, method: str, event: EventDict) -> Any:
        try:
            return processor(logger, method, event)
        except Exception:  # noqa: BLE001 - whatever it is, what was to be logged goes on
            count_lost()
            raise structlog.DropEvent from None

    return process
