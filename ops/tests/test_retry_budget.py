"""Retries add at most 10 % of the calls, plus one, for any number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ops.outbound.retry_budget import RetryBudget


def test_there_is_one_retry_to_begin_with() -> None:
    budget = RetryBudget(0.1)

    assert [budget.spend(), budget.spend()] == [True, False]


def test_ten_calls_earn_one_retry() -> None:
    budget = RetryBudget(0.1)
    budget.spend()

    for _ in range(9):
        budget.earn()
    assert not budget.spend()
    budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]


def test_a_long_time_without_failures_saves_ten_retries_and_no_more() -> None:
    budget = RetryBudget(0.1)
    for _ in range(10_000):
        budget.earn()

    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]


def test_a_ratio_of_zero_leaves_the_first_retry_only() -> None:
    budget = RetryBudget(0.0)
    for _ in range(100):
        budget.earn()

    assert [budget.spend(), budget.spend()] == [True, False]


@pytest.mark.parametrize("ratio", [0.1, 0.3, 1.0])
def test_many_threads_never_spend_more_than_was_earned(ratio: float) -> None:
    budget = RetryBudget(ratio)

    def call_and_fail(_: int) -> int:
        spent = 0
        for _ in range(500):
            budget.earn()
            spent += budget.spend()
        return spent

    with ThreadPoolExecutor(16) as pool:
        spent = sum(pool.map(call_and_fail, range(16)))

    assert 0.9 * ratio * 8000 <= spent <= 1 + ratio * 8000
