"""The breaker matches a model that records every call, for any order of events."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from ops.outbound.circuit_breaker import BreakerOpen, CircuitBreaker, Permit, State

MIN_CALLS, RATIO, WINDOW, OPEN_FOR = 4, 0.5, 10, 5


class BreakerMachine(RuleBasedStateMachine):
    """Time moves by whole seconds, a tenth of the window, so that the breaker's buckets are exact."""

    calls = Bundle("calls")

    @initialize()
    def start(self) -> None:
        self.now = 0
        self.state = State.CLOSED
        self.period = 0
        self.opened = 0
        self.ended: list[tuple[int, bool]] = []
        self.breaker = CircuitBreaker(
            "model-peer",
            failure_ratio=RATIO,
            min_calls=MIN_CALLS,
            window=timedelta(seconds=WINDOW),
            open_for=timedelta(seconds=OPEN_FOR),
            clock=lambda: float(self.now),
        )

    def enter(self, state: State) -> None:
        self.state, self.period, self.ended = state, self.period + 1, []
        self.opened = self.now

    @rule(seconds=st.integers(1, 7))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(target=calls)
    def begin(self) -> tuple[Permit | None, int]:
        is_due = self.state is State.OPEN and self.now >= self.opened + OPEN_FOR
        allowed = self.state is State.CLOSED or is_due
        if is_due:
            self.enter(State.HALF_OPEN)
        if allowed:
            return self.breaker.acquire(), self.period
        with pytest.raises(BreakerOpen) as refusal:
            self.breaker.acquire()
        left = self.opened + OPEN_FOR - self.now if self.state is State.OPEN else 1
        assert refusal.value.retry_after == timedelta(seconds=left)
        return None, self.period

    @rule(call=consumes(calls), failed=st.booleans())
    def end(self, call: tuple[Permit | None, int], failed: bool) -> None:
        permit, period = call
        if permit is None:
            return
        self.breaker.record(permit, failed=failed)
        if period != self.period:
            return
        if self.state is State.HALF_OPEN:
            self.enter(State.OPEN if failed else State.CLOSED)
            return
        self.ended.append((self.now, failed))
        recent = [failed for at, failed in self.ended if at > self.now - WINDOW]
        if len(recent) >= MIN_CALLS and sum(recent) / len(recent) >= RATIO:
            self.enter(State.OPEN)

    @invariant()
    def agree(self) -> None:
        assert self.breaker.state is self.state


TestBreakerAgainstItsModel = BreakerMachine.TestCase
TestBreakerAgainstItsModel.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
