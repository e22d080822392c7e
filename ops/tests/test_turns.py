"""Threads work in turn, except while one waits or has held its turn for too long."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ops import turns
from ops.turns import WorkInTurn, in_turn, waiting

SOON, LONG = 0.2, 30.0  # seconds


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", LONG)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        executor._work_queue = WorkInTurn()  # type: ignore[assignment] # as the worker does
        yield executor
    assert not turns._turn.locked()
    assert not turns._claims


class Work:
    """A task that computes until it is ended, and may wait before that."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.computes, self.waits, self.has_answer, self.resumed, self.end = (threading.Event() for _ in range(5))
        self.asks = False
        self.future = pool.submit(self._run)

    def _run(self) -> int:
        self.computes.set()
        if self.asks:
            with waiting:
                self.waits.set()
                self.has_answer.wait(LONG)
            self.resumed.set()
        self.end.wait(LONG)
        return threading.get_ident()

    def ends(self) -> int:
        self.end.set()
        return self.future.result(LONG)


class Asking(Work):
    def __init__(self, pool: ThreadPoolExecutor) -> None:
        super().__init__(pool)
        assert self.waits.wait(LONG)

    def _run(self) -> int:
        self.asks = True
        return super()._run()


def test_work_waits_for_the_one_before_it(pool: ThreadPoolExecutor) -> None:
    first = Work(pool)
    assert first.computes.wait(LONG)
    second = Work(pool)
    assert not second.computes.wait(SOON)
    first.ends()
    assert second.computes.wait(LONG)
    second.ends()


def test_who_waits_lets_others_compute_and_claims_another_turn(pool: ThreadPoolExecutor) -> None:
    asking = Asking(pool)
    other = Work(pool)
    assert other.computes.wait(LONG)
    asking.has_answer.set()
    assert not asking.resumed.wait(SOON)
    other.ends()
    assert asking.resumed.wait(LONG)
    asking.ends()


def test_who_is_ready_goes_on_with_the_next_and_wakes_nobody(pool: ThreadPoolExecutor) -> None:
    first = Work(pool)
    assert first.computes.wait(LONG)
    queued = [pool.submit(threading.get_ident) for _ in range(50)]
    ident = first.ends()
    assert {future.result(LONG) for future in queued} == {ident}


def test_work_is_begun_in_its_order(pool: ThreadPoolExecutor) -> None:
    begun: list[int] = []
    first = Work(pool)
    assert first.computes.wait(LONG)
    queued = [pool.submit(begun.append, number) for number in range(200)]
    first.ends()
    for future in queued:
        future.result(LONG)
    assert begun == list(range(200))


def test_all_threads_work_when_all_of_them_wait(pool: ThreadPoolExecutor) -> None:
    asking = [Asking(pool) for _ in range(4)]
    for work in asking:
        work.has_answer.set()
        work.end.set()
    assert len({work.ends() for work in asking}) == 4


def test_a_thread_without_the_turn_is_not_idle_where_work_is_queued() -> None:
    work = WorkInTurn()  # as the pools of Python 3.12 and later ask it, which take queue.Empty for "idle"
    work.put("first")
    work.put("second")
    assert [work.get_nowait(), work.get_nowait()] == ["first", "second"]
    assert turns._turn.locked()
    with pytest.raises(queue.Empty):
        work.get_nowait()
    assert not turns._turn.locked()


def test_patience_ends(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    stuck = [Work(pool) for _ in range(4)]
    for work in stuck:
        assert work.computes.wait(LONG)
    for work in stuck:
        work.ends()


def test_another_thread_gets_its_turn_between_two(pool: ThreadPoolExecutor) -> None:
    first = Work(pool)
    assert first.computes.wait(LONG)
    done: list[str] = []

    def look_after_connections() -> None:
        with in_turn:
            done.append("looked")

    other = threading.Thread(target=look_after_connections)
    other.start()
    while not turns._claims:
        pass
    queued = pool.submit(done.append, "next")
    first.ends()
    queued.result(LONG)
    other.join(LONG)
    assert done == ["looked", "next"]


def test_an_error_ends_a_turn_too(pool: ThreadPoolExecutor) -> None:
    def break_down() -> None:
        with waiting:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        pool.submit(break_down).result(LONG)
    Work(pool).ends()


def test_a_pool_that_is_shut_down_leaves_the_turn_to_others() -> None:
    executor = ThreadPoolExecutor(4)
    executor._work_queue = WorkInTurn()  # type: ignore[assignment] # as the worker does
    for future in [executor.submit(threading.get_ident) for _ in range(20)]:
        future.result(LONG)
    executor.shutdown(wait=True)
    with in_turn:
        assert turns._turn.locked()
    assert not turns._turn.locked()


def test_outside_of_its_work_nobody_takes_a_turn() -> None:
    with waiting:
        assert not turns._turn.locked()
    assert not turns._turn.locked()
