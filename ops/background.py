"""A task in a thread of its own that is left behind when it is late: a call of a socket cannot be cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(name: str, task: Callable[[], T]) -> Future[T]:
    """Start the task in a daemon thread, which never delays the exit, and return its future."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(task())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            future.set_exception(error)

    threading.Thread(target=work, name=name, daemon=True).start()
    return future
