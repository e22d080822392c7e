"""One request computes at a time in a process; whoever waits for somebody lets the next one go.

Python lets one thread compute at a time anyway. But whoever makes a system call loses its place to any thread that
wants it, a request makes a dozen short ones, and to wake a thread takes longer than most of them do.
"""

from __future__ import annotations

import queue
import threading
from typing import Any

PATIENCE = 0.02  # seconds; then one goes on without its turn, as nobody knows what the one before it is at

_turn = threading.Lock()
_first_of_the_idle = threading.Lock()
_claims: list[None] = []  # one for each thread that has begun something and wants its turn; append and pop are atomic


class _State(threading.local):
    is_at_work = False
    has_turn = False


_mine = _State()


def _take() -> None:
    _mine.has_turn = _turn.acquire(timeout=PATIENCE)


def _claim() -> None:
    _claims.append(None)
    _take()
    _claims.pop()


def _give() -> None:
    if _mine.has_turn:
        _mine.has_turn = False
        _turn.release()


class WorkInTurn:
    """The queue of a pool whose threads work in turn: each gets its next work together with its turn.

    So who is ready goes on with the next without waking anybody, unless somebody has claimed the turn meanwhile. It
    stands in for the `queue.SimpleQueue` of a ThreadPoolExecutor, for which None says that the pool is shut down.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.put = self._queue.put
        self.qsize = self._queue.qsize

    def get_nowait(self) -> Any:
        """Return the next work, and wait for the turn if need be; raise queue.Empty where there is no work.

        Nor is it said that there is none where there is: the pool, from Python 3.12 on, would take the thread for idle.
        """
        _mine.is_at_work = False
        if _claims:
            _give()
        try:
            if not _mine.has_turn:
                if not self.qsize():
                    raise queue.Empty
                with _first_of_the_idle:
                    _take()
                    return self._begun(self._queue.get_nowait())
            return self._begun(self._queue.get_nowait())
        except queue.Empty:
            _give()
            raise

    def get(self, block: bool = True) -> Any:
        """Return the next work; wait for it and for the turn."""
        try:
            return self.get_nowait()
        except queue.Empty:
            with _first_of_the_idle:  # and so nobody takes work in hand that would have to wait there
                return self._begun(self._wait())

    def _wait(self) -> Any:
        while True:
            _take()
            try:
                return self._queue.get_nowait()
            except queue.Empty:
                if _mine.has_turn:
                    _give()
                    work = self._queue.get()
                    _take()
                    return work

    def _begun(self, work: Any) -> Any:
        if work is None:
            _give()
        else:
            _mine.is_at_work = True
        return work


class _InTurn:
    def __enter__(self) -> None:
        _claim()

    def __exit__(self, *_: object) -> None:
        _give()


class _Waiting:
    def __enter__(self) -> None:
        _give()

    def __exit__(self, *_: object) -> None:
        if _mine.is_at_work:
            _claim()


in_turn = _InTurn()  # with it, a thread that is not the pool's computes in turn with those that are
waiting = _Waiting()  # with it, a thread lets others compute while it waits; outside of its work it does nothing
