"""Requests compute one after another, unless one waits for somebody, or has had its turn for too long."""

from __future__ import annotations

import threading

import pytest

from ops import turns
from ops.turns import request_in_turn, waiting

SOON, LONG = 0.2, 30.0  # seconds


class AnotherRequest:
    """A request in another thread; `computes` is set once it has its turn, or goes on without."""

    def __init__(self) -> None:
        self.computes = threading.Event()
        self._thread = threading.Thread(target=self._handle)
        self._thread.start()

    def _handle(self) -> None:
        with request_in_turn:
            self.computes.set()

    def ends(self) -> bool:
        self._thread.join(LONG)
        return not self._thread.is_alive()


def test_a_request_waits_for_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", LONG)
    with request_in_turn:
        other = AnotherRequest()
        assert not other.computes.wait(SOON)
    assert other.ends()
    assert other.computes.is_set()


def test_a_request_that_waits_lets_others_compute_and_takes_another_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", LONG)
    with request_in_turn:
        with waiting:
            assert AnotherRequest().ends()
        late = AnotherRequest()
        assert not late.computes.wait(SOON)
    assert late.ends()


def test_a_request_goes_on_without_its_turn_once_its_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    with request_in_turn:
        assert AnotherRequest().ends()
    assert not turns._turn.locked()


def test_an_error_ends_a_turn_too() -> None:
    with pytest.raises(ValueError, match="broken"), request_in_turn, waiting:
        raise ValueError("broken")
    assert not turns._turn.locked()


def test_outside_a_request_nobody_takes_a_turn() -> None:
    with waiting:
        assert not turns._turn.locked()
    assert not turns._turn.locked()
