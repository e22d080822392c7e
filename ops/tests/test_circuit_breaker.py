"""The breaker opens at its share of failures, allows one trial, and follows its result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ops.outbound.circuit_breaker import BreakerOpen, CircuitBreaker, Permit, State


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return make_breaker(clock)


def make_breaker(clock: Callable[[], float], *, failure_ratio: float = 0.5, min_calls: int = 20) -> CircuitBreaker:
    return CircuitBreaker(
        "test-peer",
        failure_ratio=failure_ratio,
        min_calls=min_calls,
        window=timedelta(seconds=10),
        open_for=timedelta(seconds=5),
        clock=clock,
    )


def state_of(breaker: CircuitBreaker) -> State:
    return breaker.state  # read anew: mypy takes an attribute for constant between two asserts


def call(breaker: CircuitBreaker, *, failed: bool, times: int = 1) -> None:
    for _ in range(times):
        breaker.record(breaker.acquire(), failed=failed)


def test_nineteen_failures_do_not_open_it_and_the_twentieth_does(breaker: CircuitBreaker) -> None:
    call(breaker, failed=True, times=19)
    assert state_of(breaker) is State.CLOSED

    call(breaker, failed=True)
    assert state_of(breaker) is State.OPEN


def test_exactly_half_of_twenty_opens_it(breaker: CircuitBreaker) -> None:
    call(breaker, failed=False, times=10)
    call(breaker, failed=True, times=9)
    assert state_of(breaker) is State.CLOSED

    call(breaker, failed=True)
    assert state_of(breaker) is State.OPEN


def test_less_than_half_never_opens_it(breaker: CircuitBreaker) -> None:
    for _ in range(50):
        call(breaker, failed=False, times=11)
        call(breaker, failed=True, times=9)

    assert state_of(breaker) is State.CLOSED


def test_the_share_is_exact_for_a_ratio_that_floating_point_rounds(clock: Clock) -> None:
    breaker = make_breaker(clock, failure_ratio=0.07, min_calls=100)  # 0.07 * 100 is a little more than 7
    call(breaker, failed=False, times=93)
    call(breaker, failed=True, times=7)

    assert state_of(breaker) is State.OPEN


def test_failures_are_forgotten_when_the_window_has_passed(breaker: CircuitBreaker, clock: Clock) -> None:
    call(breaker, failed=True, times=19)
    clock.now += 10
    call(breaker, failed=True, times=19)
    assert state_of(breaker) is State.CLOSED

    call(breaker, failed=True)
    assert state_of(breaker) is State.OPEN


def test_the_window_slides(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(60):  # never more than 17 in any ten seconds
        call(breaker, failed=True)
        clock.now += 0.6

    assert state_of(breaker) is State.CLOSED


def test_old_calls_hold_no_memory(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(10_000):
        call(breaker, failed=False)
        clock.now += 0.1

    assert len(breaker._buckets) <= 11


def test_while_open_it_says_how_long(breaker: CircuitBreaker, clock: Clock) -> None:
    call(breaker, failed=True, times=20)
    clock.now += 1.5

    with pytest.raises(BreakerOpen) as opened:
        breaker.acquire()

    assert opened.value.retry_after == timedelta(seconds=3.5)


def test_a_trial_that_succeeds_closes_it_with_nothing_held_against_the_peer(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    call(breaker, failed=True, times=20)
    clock.now += 5

    call(breaker, failed=False)

    assert state_of(breaker) is State.CLOSED
    call(breaker, failed=True, times=19)
    assert state_of(breaker) is State.CLOSED


def test_a_trial_that_fails_opens_it_for_the_whole_time_again(breaker: CircuitBreaker, clock: Clock) -> None:
    call(breaker, failed=True, times=20)
    clock.now += 5
    call(breaker, failed=True)
    clock.now += 4.9

    with pytest.raises(BreakerOpen):
        breaker.acquire()
    clock.now += 0.1
    breaker.acquire()


def test_there_is_one_trial_at_a_time(breaker: CircuitBreaker, clock: Clock) -> None:
    call(breaker, failed=True, times=20)
    clock.now += 5
    trial = breaker.acquire()
    assert state_of(breaker) is State.HALF_OPEN

    clock.now += 60  # however long the trial takes
    with pytest.raises(BreakerOpen) as opened:
        breaker.acquire()
    assert opened.value.retry_after == timedelta(seconds=1)

    breaker.record(trial, failed=False)
    breaker.acquire()


def test_the_late_end_of_an_earlier_call_changes_nothing(breaker: CircuitBreaker, clock: Clock) -> None:
    late = [breaker.acquire() for _ in range(60)]
    call(breaker, failed=True, times=20)
    breaker.record(late.pop(), failed=False)
    assert state_of(breaker) is State.OPEN

    clock.now += 5
    trial = breaker.acquire()
    breaker.record(late.pop(), failed=False)
    breaker.record(late.pop(), failed=True)
    assert state_of(breaker) is State.HALF_OPEN

    breaker.record(trial, failed=False)
    for permit in late:
        breaker.record(permit, failed=True)
    assert state_of(breaker) is State.CLOSED


def test_each_change_moves_the_gauge_and_is_logged_once(breaker: CircuitBreaker, clock: Clock) -> None:
    def gauge() -> float | None:
        return REGISTRY.get_sample_value("circuit_breaker_state", {"peer": "test-peer"})

    with capture_logs() as logs:
        states = [gauge()]
        call(breaker, failed=True, times=20)
        states.append(gauge())
        clock.now += 5
        trial = breaker.acquire()
        states.append(gauge())
        breaker.record(trial, failed=False)
        states.append(gauge())

    assert states == [State.CLOSED, State.OPEN, State.HALF_OPEN, State.CLOSED]
    assert logs == [
        {"event": "circuit_breaker.changed", "log_level": "warning", "peer": "test-peer", "state": state}
        for state in ("open", "half_open", "closed")
    ]


def test_many_threads_lose_no_result_and_share_one_trial(clock: Clock) -> None:
    breaker = make_breaker(clock, min_calls=32 * 100 + 1)
    barrier = Barrier(32)

    def fail(_: int) -> None:
        barrier.wait(30)
        call(breaker, failed=True, times=100)

    def try_once(_: int) -> Permit | None:
        barrier.wait(30)
        try:
            return breaker.acquire()
        except BreakerOpen:
            return None

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(fail, range(32)))
        assert state_of(breaker) is State.CLOSED
        call(breaker, failed=True)
        assert state_of(breaker) is State.OPEN

        clock.now += 5
        permits = list(pool.map(try_once, range(32)))

    assert sum(permit is not None for permit in permits) == 1
