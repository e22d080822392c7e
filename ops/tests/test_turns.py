"""One thread computes at a time; the turn goes round in the order of the claims, and nothing can keep it for ever."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from ops import turns
from ops.server.poller import Poller
from ops.turns import seconds_since_arrival, turn, wait_until_ready, waiting

SOON, LONG = 0.2, 30.0  # seconds


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(turns, "PATIENCE", LONG)
    yield
    assert not turn.is_taken
    assert turn.before_waiting is None
    assert turn.watcher is None


class Work(threading.Thread):
    """A thread of the server that computes until it is told to end; before that it may wait for a peer."""

    def __init__(self, *, asks: bool = False, note: Callable[[], None] = lambda: None) -> None:
        super().__init__(daemon=True)
        self.computes, self.waits, self.has_answer, self.resumed, self.told = (threading.Event() for _ in range(5))
        self.asks = asks
        self.note = note
        self.start()

    def run(self) -> None:
        turn.take()
        turn.begin_work(arrived=0.0)
        self.computes.set()
        self.note()
        if self.asks:
            with waiting:
                self.waits.set()
                self.has_answer.wait(LONG)
            self.resumed.set()
        self.told.wait(LONG)
        turn.end_work()
        turn.give()

    def end(self) -> None:
        self.has_answer.set()
        self.told.set()
        self.join(LONG)
        assert not self.is_alive()


def test_work_waits_for_the_work_before_it() -> None:
    first = Work()
    assert first.computes.wait(LONG)
    second = Work()
    assert not second.computes.wait(SOON)

    first.end()

    assert second.computes.wait(LONG)
    second.end()


def test_a_thread_that_waits_for_a_peer_lets_others_compute_and_claims_the_turn_again() -> None:
    asking = Work(asks=True)
    assert asking.waits.wait(LONG)
    other = Work()
    assert other.computes.wait(LONG)
    asking.has_answer.set()
    assert not asking.resumed.wait(SOON)

    other.end()

    assert asking.resumed.wait(LONG)
    asking.end()


def test_the_turn_goes_round_in_the_order_of_the_claims() -> None:
    order: list[int] = []
    first = Work()
    assert first.computes.wait(LONG)
    later = []
    for number in range(5):
        later.append(Work(note=lambda number=number: order.append(number)))  # type: ignore[misc] # a default, bound now
        later[-1].told.set()
        while len(turn._claims) <= number:
            pass

    first.end()

    for work in later:
        work.end()
    assert order == [0, 1, 2, 3, 4]


def test_a_thread_that_gives_its_turn_does_not_overtake_those_that_wait() -> None:
    turn.take()
    other = Work()
    while not turn._claims:
        pass

    turn.give()
    other.told.set()
    turn.take()

    assert other.computes.is_set()
    turn.give()
    other.end()


def test_another_thread_is_seen_to_before_one_waits() -> None:
    promoted: list[bool] = []
    turn.before_waiting = lambda: promoted.append(turn.is_taken)

    asking = Work(asks=True)
    assert asking.waits.wait(LONG)

    turn.before_waiting = None
    asking.end()
    assert promoted == [True]


def test_a_turn_that_is_kept_for_long_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)

    stuck = [Work() for _ in range(4)]

    for work in stuck:
        assert work.computes.wait(LONG)
    for work in stuck:
        work.end()


def test_an_error_ends_the_waiting_too() -> None:
    turn.take()
    turn.begin_work(arrived=0.0)

    with pytest.raises(ValueError, match="broken"), waiting:
        raise ValueError("broken")

    assert turn.is_taken
    turn.end_work()
    turn.give()


def test_outside_of_a_request_nothing_takes_a_turn() -> None:
    with waiting:
        assert not turn.is_taken
    assert not turn.is_taken
    assert seconds_since_arrival() == 0.0


class Asking(threading.Thread):
    """A thread of the server that asks a peer, and has the turn when it goes on."""

    def __init__(self, poller: Poller, *, seconds: float = LONG) -> None:
        super().__init__(daemon=True)
        self.sock, self.peer = socket.socketpair()
        self.poller, self.seconds = poller, seconds
        self.found: bool | None = None
        self.had_turn = False
        self.start()

    def run(self) -> None:
        turn.take()
        turn.begin_work(arrived=0.0)
        self.found = wait_until_ready(self.sock.fileno(), select.POLLIN, self.seconds)
        self.had_turn = turns._mine.has_turn
        turn.end_work()
        turn.give()

    def is_watched(self) -> bool:
        return self.sock.fileno() in self.poller.peers

    def answer(self) -> None:
        while not self.is_watched():
            pass
        self.peer.sendall(b"an answer")

    def end(self) -> bool | None:
        self.join(LONG)
        assert not self.is_alive()
        assert not self.is_watched()
        self.sock.close()
        self.peer.close()
        return self.found


@pytest.fixture
def poller() -> Iterator[Poller]:
    turn.watcher = Poller(SimpleNamespace(keepalive=1, worker_connections=1, workers=1), [], lambda _: None)
    yield turn.watcher
    turn.watcher.epoll.close()
    turn.watcher = None


def test_a_thread_is_woken_with_the_turn_once_a_collector_sees_the_answer_of_its_peer(poller: Poller) -> None:
    asking = Asking(poller)
    asking.answer()
    assert poller.doorbell.poll(LONG * 1000)
    turn.take()

    poller.collect(0.0)
    assert asking.found is None
    turn.give()

    assert asking.end() is True
    assert asking.had_turn


def test_a_thread_is_woken_at_once_where_the_turn_is_free(poller: Poller) -> None:
    asking = Asking(poller)
    asking.answer()
    while turn.is_taken:
        pass

    poller.collect(0.0)

    assert asking.end() is True


def test_a_thread_whose_peer_does_not_answer_goes_on_in_time(poller: Poller) -> None:
    asking = Asking(poller, seconds=0.05)

    assert asking.end() is False
    assert asking.had_turn


def test_a_thread_looks_for_the_answer_itself_where_no_thread_collects(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    asking = Asking(poller)
    asking.answer()

    assert asking.end() is True


def test_an_answer_is_taken_up_although_another_thread_keeps_the_turn(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    asking = Asking(poller)
    asking.answer()
    stuck = Work()
    assert stuck.computes.wait(LONG)

    poller.collect(0.0)

    assert asking.end() is True
    stuck.end()


def test_a_wait_whose_time_is_over_ends_at_once() -> None:
    sock, peer = socket.socketpair()
    with sock, peer:
        assert not wait_until_ready(sock.fileno(), select.POLLIN, -1.0)


def test_a_descriptor_that_is_gone_ends_no_thread_that_collects(poller: Poller) -> None:
    ours, peer = socket.socketpair()
    descriptor, bell = ours.fileno(), threading.Lock()
    with ours, peer:
        poller.watch(descriptor, select.POLLIN, bell)
        poller.epoll.unregister(descriptor)  # as its close does

        assert poller.unwatch(descriptor)
        poller.watch(descriptor, select.POLLIN, bell)
        with pytest.raises(FileExistsError):
            poller.watch(descriptor, select.POLLIN, threading.Lock())
        assert poller.peers == {descriptor: bell}
        assert poller.unwatch(descriptor)
    assert poller.peers == {}
