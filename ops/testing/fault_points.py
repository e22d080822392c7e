"""Places where a test can have a process crash, raise or hang: `with fault_point(OrderStep.CONFIRM): …`.

Each surrounds one step with an external effect: an HTTP call or a commit. FAULT_POINT, which production refuses, names
a file. When the file exists and contains `NAME:ACTION`, the first process at that step renames it to FILE.fired and
performs the action once. Its siblings and its replacement do not repeat it. Without the variable, a point costs a
function call.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from types import TracebackType

import structlog

log = structlog.get_logger(__name__)

HANG_SECONDS = 60.0  # longer than every deadline; removing FILE.fired ends it earlier
NAP_SECONDS = 0.05


class Action(StrEnum):
    """The action at an armed point; an exception and a hang happen after the step took effect."""

    CRASH_BEFORE = "crash_before"
    CRASH_AFTER = "crash_after"
    EXCEPTION = "exception"
    HANG = "hang"


class FaultInjected(Exception):
    """An armed fault point has fired; no code expects this exception."""


def fired(file: Path) -> Path:
    """Return the name of the file after its point has fired."""
    return file.with_name(f"{file.name}.fired")


class _Switched:
    """The context manager around a step if FAULT_POINT is set."""

    def __init__(self, name: str, file: Path) -> None:
        self._name = name
        self._file = file

    def __enter__(self) -> None:
        self._fire_on(Action.CRASH_BEFORE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._fire_on(Action.CRASH_AFTER, Action.EXCEPTION, Action.HANG)

    def _fire_on(self, *actions: Action) -> None:
        try:
            wanted = self._file.read_text(encoding="utf-8").strip()
            action = next((action for action in actions if wanted == f"{self._name}:{action}"), None)
            if action is None:
                return
            self._file.rename(fired(self._file))  # only one process succeeds
        except FileNotFoundError:
            return
        log.warning("fault_point.fired", point=self._name, action=str(action))
        if action == Action.EXCEPTION:
            raise FaultInjected(self._name)
        if action == Action.HANG:
            self._hang()
            return
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does, without clean-up or log lines

    def _hang(self) -> None:
        deadline = time.monotonic() + HANG_SECONDS
        while fired(self._file).exists() and time.monotonic() < deadline:
            time.sleep(NAP_SECONDS)


_OFF: AbstractContextManager[None] = nullcontext()
_file: Path | None = None


def fault_point(name: str) -> AbstractContextManager[None]:
    """Return the context manager of a step, in which a test can break it."""
    return _OFF if _file is None else _Switched(name, _file)


def switch_on(file: str | None) -> None:
    """Arm the points of this process with the file of FAULT_POINT; None disarms them."""
    global _file  # noqa: PLW0603 - one per process, set as it starts
    _file = Path(file) if file else None
