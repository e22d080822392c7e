"""One request computes at a time in a process; a thread that waits for a peer gives its turn to the next.

Python lets one thread compute at a time anyway. But a thread loses its place at every system call, and a request makes
a dozen short ones. To wake another thread takes longer than most of them (docs/decisions/0012).

This stands below every shelf of `ops`: outbound calls and the database give the turn up, the server hands it out.
"""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

PATIENCE = 0.02  # seconds of one stint; then others go on beside it, as nothing says what it is at


class _Mine(threading.local):
    """The facts of this thread's own part."""

    is_at_work = False
    has_turn = False
    arrived = 0.0
    bell: threading.Lock | None = None


_mine = _Mine()


class Watcher(Protocol):
    """The server's poller, which watches the sockets of peers beside those of clients."""

    def watch(self, descriptor: int, events: int, bell: threading.Lock) -> None:
        """Claim the turn for this bell as soon as the descriptor is ready."""

    def unwatch(self, descriptor: int) -> bool:
        """Stop that; return false if the claim was made already."""


def _my_bell() -> threading.Lock:
    if _mine.bell is None:
        _mine.bell = threading.Lock()
        _mine.bell.acquire()
    return _mine.bell


class Turn:
    """A lock that is handed on in the order of the claims; its holder cannot overtake those that wait."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._claims: deque[threading.Lock] = deque()
        self.is_taken = False
        self.stints = 0  # how often the turn went to a thread
        self.before_waiting: Callable[[], None] | None = None  # the server sees that another thread is awake
        self.watcher: Watcher | None = None  # of the server

    def take(self) -> None:
        """Return with the turn; without it, where one thread keeps it for longer than PATIENCE."""
        if _mine.has_turn:
            return
        bell = _my_bell()
        with self._mutex:
            if not self.is_taken:
                self._begin()
                return
            self._claims.append(bell)
            stint = self.stints
        while not bell.acquire(timeout=PATIENCE):
            with self._mutex:
                if stint == self.stints and bell in self._claims:
                    self._claims.remove(bell)
                    return
                stint = self.stints
        _mine.has_turn = True

    def give(self) -> None:
        """Hand the turn to the thread that has claimed it longest, or lay it down."""
        if not _mine.has_turn:
            return
        _mine.has_turn = False
        with self._mutex:
            if self._claims:
                self.stints += 1
                self._claims.popleft().release()
            else:
                self.is_taken = False

    def claim(self, bell: threading.Lock) -> None:
        """Hand the turn to the thread of this bell, after those that have claimed it before."""
        with self._mutex:
            if self.is_taken:
                self._claims.append(bell)
            else:
                self.is_taken = True
                self.stints += 1
                bell.release()

    def withdraw(self, bell: threading.Lock) -> bool:
        """Take a claim back; return false if it was not made, or met already."""
        with self._mutex:
            if bell not in self._claims:
                return False
            self._claims.remove(bell)
            return True

    def begin_work(self, arrived: float) -> None:
        """Tell that this thread works from now on, on what arrived then (on the monotonic clock)."""
        _mine.is_at_work = True
        _mine.arrived = arrived

    def end_work(self) -> None:
        """Tell that this thread's work is done."""
        _mine.is_at_work = False

    def _begin(self) -> None:
        self.is_taken = _mine.has_turn = True
        self.stints += 1


class _Waiting:
    def __enter__(self) -> None:
        if _mine.is_at_work:
            if turn.before_waiting is not None:
                turn.before_waiting()
            turn.give()

    def __exit__(self, *_: object) -> None:
        if _mine.is_at_work:
            turn.take()


turn = Turn()
waiting = _Waiting()  # with it, a thread lets others compute while it waits; outside of a request it does nothing


def wait_until_ready(descriptor: int, events: int, seconds: float) -> bool:
    """Let others compute until a peer's descriptor is ready; return false where that takes longer.

    A thread that waits by itself is woken twice: by the peer, and when it gets the turn. So the thread that collects
    the requests also claims the turn for those whose peer has answered. Each looks for itself after PATIENCE, as the
    holder of the turn may be in a slow call.
    """
    watcher = turn.watcher
    if watcher is None or not _mine.is_at_work:
        with waiting:
            return _is_ready(descriptor, events, seconds)
    bell, ends = _my_bell(), time.monotonic() + seconds
    if turn.before_waiting is not None:
        turn.before_waiting()
    watcher.watch(descriptor, events, bell)
    turn.give()
    stint = turn.stints
    while not bell.acquire(timeout=min(PATIENCE, max(ends - time.monotonic(), 0.001))):
        is_ready, last, stint = _is_ready(descriptor, events, 0), stint, turn.stints
        if (is_ready or time.monotonic() >= ends) and watcher.unwatch(descriptor):
            turn.take()
            return is_ready
        if last == stint and turn.withdraw(bell):  # claimed, and its holder keeps the turn: go on beside it
            return True
    _mine.has_turn = True
    return True


def _is_ready(descriptor: int, events: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, events)
    return bool(poll.poll(max(seconds, 0.0) * 1000))  # a negative one would wait without end


def seconds_since_arrival() -> float:
    """Return for how long the request that this thread works on has been here; 0 outside of a request."""
    return time.monotonic() - _mine.arrived if _mine.is_at_work else 0.0
