"""Damaged requests get whole answers and an end: none hangs, none is a fault of the server, none is smuggled."""

from __future__ import annotations

from pathlib import Path
from random import SystemRandom

from tests.fuzz import fuzz
from tests.processes import running_stack

COUNT = 1_500


def test_damaged_requests_are_answered_or_refused_and_never_smuggled(tmp_path: Path) -> None:
    seed = SystemRandom().randrange(10**9)
    with running_stack(tmp_path) as stack:
        complaints, answers = fuzz(stack.products.port, COUNT, seed)

        assert complaints == [], f"seed {seed}"
        assert set(answers) >= {200, 400, 404, 405}
        assert not [line for line in stack.products.log_lines() if "exception" in line]
