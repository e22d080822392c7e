"""Run several tasks that wait, at the same time, each within its own deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from datetime import timedelta
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class DeadlineExceeded(Exception):
    """The task did not end within its deadline."""


def run_concurrently(tasks: Mapping[K, tuple[Callable[[], T], timedelta]]) -> dict[K, T | Exception]:
    """Map each key to what its task returned or raised, or to DeadlineExceeded; return by the longest deadline."""
    found: dict[K, T | Exception] = {}

    def work(key: K, task: Callable[[], T]) -> None:
        try:
            found[key] = task()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            found[key] = error

    # Daemons, as a socket call cannot be cancelled and must not delay the exit.
    threads = {key: threading.Thread(target=work, args=(key, task), daemon=True) for key, (task, _) in tasks.items()}
    for thread in threads.values():
        thread.start()
    started = time.monotonic()
    for key, (_, deadline) in tasks.items():
        threads[key].join(max(started + deadline.total_seconds() - time.monotonic(), 0))
    return {
        key: found.get(key, DeadlineExceeded(f"no answer within {deadline.total_seconds():g} s"))
        for key, (_, deadline) in tasks.items()
    }
