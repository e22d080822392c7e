"""One request computes at a time in a process; whoever waits for somebody lets the next one go.

Python lets one thread compute at a time anyway. But whoever makes a system call loses its place, and a request makes a
dozen short ones: four threads that take it from one another so often spend a third of their time on that.
"""

from __future__ import annotations

import threading

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


class _RequestInTurn:
    def __enter__(self) -> None:
        _mine.is_in_request = True
        _take()

    def __exit__(self, *_: object) -> None:
        _mine.is_in_request = False
        _give()


class _Waiting:
    def __enter__(self) -> None:
        _give()

    def __exit__(self, *_: object) -> None:
        if _mine.is_in_request:
            _take()


request_in_turn = _RequestInTurn()  # with it, a thread computes in turn with the others that do
waiting = _Waiting()  # with it, a thread lets others compute while it waits; outside a request it does nothing
