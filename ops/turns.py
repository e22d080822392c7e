"""One request computes at a time in a process; whoever waits for somebody lets the next one go.

Python lets one thread compute at a time anyway. But whoever makes a system call loses its place, and a request makes a
dozen short ones: four threads that take it from one another so often spend a third of their time on that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 0.02  # seconds; then a request goes on without its turn, as nobody knows what the one before it is at

_turn = threading.Lock()


class _State(threading.local):
    is_in_request = False
    has_turn = False


_mine = _State()


def _take() -> None:
    _mine.has_turn = _turn.acquire(timeout=PATIENCE)


def _give() -> None:
    if _mine.has_turn:
        _mine.has_turn = False
        _turn.release()


@contextmanager
def request_in_turn() -> Iterator[None]:
    """Have this thread compute in turn with others that do."""
    _mine.is_in_request = True
    _take()
    try:
        yield
    finally:
        _mine.is_in_request = False
        _give()


@contextmanager
def waiting() -> Iterator[None]:
    """Let others compute while this thread waits for a client, the database or a peer; outside a request do nothing."""
    _give()
    try:
        yield
    finally:
        if _mine.is_in_request:
            _take()
