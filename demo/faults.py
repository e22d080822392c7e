"""The faults of the story, their timetable, and how each breaks and mends something."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATABASE = ROOT / "var" / "orders.sqlite3"
Act = tuple[float, str, Callable[[], None]]


def nothing() -> None:
    """Leave it to the server, which starts a new worker."""


@dataclass(frozen=True)
class Fault:
    """Something that breaks for a share of the run, once or again and again, and the runbook of its alert."""

    name: str
    begins: float
    ends: float
    runbook: str
    breaks: Callable[[], None]
    mends: Callable[[], None] = nothing
    times: int = 1

    def acts(self, seconds: int) -> list[Act]:
        """Return what happens at which second, and the words for it; "" is not told."""
        begins, ends = self.begins * seconds, self.ends * seconds
        again = [begins + (ends - begins) * number / self.times for number in range(self.times)]
        words = [f"fault: {self.name}", *[""] * (self.times - 1)]
        breaks = [(at, word, self.breaks) for at, word in zip(again, words, strict=True)]
        return [*breaks, (ends, f"ended: {self.name}", self.mends)]


def processes(word: str, setting: str = "") -> list[int]:
    """Return our processes whose command line has a word; with a settings module, only workers of that server."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() != ROOT or word not in (entry / "cmdline").read_text():
                continue
            if setting.encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return [pid for pid, parent in found.items() if not setting or parent in found]


def signalled(number: int, word: str, setting: str = "") -> Callable[[], None]:
    """Return what sends a signal to these processes."""

    def send() -> None:
        for pid in processes(word, setting):
            os.kill(pid, number)

    return send


class Lock:
    """Hold the write lock of the orders database, as a long foreign transaction would."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None

    def take(self) -> None:
        if DATABASE.exists():  # .env may name another database, which this story leaves alone
            self._connection = sqlite3.connect(DATABASE, timeout=20)
            self._connection.execute("BEGIN IMMEDIATE")

    def give(self) -> None:
        if self._connection is not None:
            self._connection.close()


def timetable() -> list[Fault]:
    """Return the faults, at their shares of the run."""
    products, lock = ("ops.server", "products_project.settings"), Lock()
    pause, go_on = (signalled(number, *products) for number in (signal.SIGSTOP, signal.SIGCONT))
    hold, release = (signalled(number, "relay_events") for number in (signal.SIGSTOP, signal.SIGCONT))
    kill = signalled(signal.SIGKILL, *products)
    return [
        Fault("products does not answer", 0.1, 0.25, "ProductsUnavailableForOrders", pause, go_on),
        Fault("the worker of products dies again and again", 0.35, 0.5, "RestartLoop", kill, times=5),
        Fault("the database of orders is locked", 0.6, 0.7, "HighErrorRate", lock.take, lock.give),
        Fault("events are held up", 0.8, 0.95, "OutboxLag", hold, release),
    ]
