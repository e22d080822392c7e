"""Run several things that wait at the same time, each within a deadline of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


class TooSlow(Exception):
    """It did not end within its deadline."""


def at_once(tasks: Mapping[str, tuple[Callable[[], T], float]]) -> dict[str, T | Exception]:
    """Map each name to what its task returned or raised, or to TooSlow; after the longest deadline at the latest."""
    found: dict[str, T | Exception] = {}

    def work(name: str, task: Callable[[], T]) -> None:
        try:
            found[name] = task()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            found[name] = error

    # Daemons, as a socket call cannot be called off and must not delay the exit.
    threads = {
        name: threading.Thread(target=work, args=(name, task), name=f"ask-{name}", daemon=True)
        for name, (task, _) in tasks.items()
    }
    for thread in threads.values():
        thread.start()
    started = time.monotonic()
    for name, (_, deadline) in tasks.items():
        threads[name].join(max(started + deadline - time.monotonic(), 0))
    return {name: found.get(name, TooSlow(f"no answer within {deadline:g} s")) for name, (_, deadline) in tasks.items()}
