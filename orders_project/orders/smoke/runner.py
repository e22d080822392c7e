"""Run one check after the other, up to the first that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ops.cli.command import Stopped
from orders_project.orders.smoke.checks import Step
from orders_project.orders.smoke.http_probe import CheckFailed


@dataclass(frozen=True)
class CheckResult:
    """How one step ended."""

    step: str
    outcome: Literal["kept", "broken", "not tried"]
    seconds: float | None = None
    expected: str | None = None
    found: str | None = None

    def __str__(self) -> str:
        took = "" if self.seconds is None else f"{self.seconds * 1000:7.0f} ms"
        return f"{self.outcome:9}  {self.step:24}{took}".rstrip()


def run_checks(steps: Iterable[Step], *, is_stopping: Callable[[], bool]) -> Iterator[CheckResult]:
    """Yield each step's result at once; after a failure the other steps are not tried."""
    goes_on = True
    for step, attempt in steps:
        goes_on = goes_on and not is_stopping()
        result = _try(step, attempt) if goes_on else CheckResult(step, "not tried")
        goes_on = result.outcome == "kept"
        yield result


def _try(step: str, attempt: Callable[[], None]) -> CheckResult:
    started = time.monotonic()
    try:
        attempt()
    except CheckFailed as failure:
        return CheckResult(step, "broken", round(time.monotonic() - started, 3), failure.expected, failure.found)
    except Stopped:
        return CheckResult(step, "not tried")
    return CheckResult(step, "kept", round(time.monotonic() - started, 3))
