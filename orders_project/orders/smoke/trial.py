"""Try one promise after the other, up to the first that is broken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ops.cli.command import Stopped
from orders_project.orders.smoke.http_probe import Broken
from orders_project.orders.smoke.promises import Step


@dataclass(frozen=True)
class Verdict:
    """How one step ended."""

    step: str
    outcome: Literal["kept", "broken", "not tried"]
    seconds: float | None = None
    expected: str | None = None
    found: str | None = None

    def __str__(self) -> str:
        took = "" if self.seconds is None else f"{self.seconds * 1000:7.0f} ms"
        return f"{self.outcome:9}  {self.step:24}{took}".rstrip()


def try_in_turn(steps: Iterable[Step], *, is_stopping: Callable[[], bool]) -> Iterator[Verdict]:
    """Yield each step's verdict as soon as it is there; what comes after a broken one is not tried."""
    goes_on = True
    for step, attempt in steps:
        goes_on = goes_on and not is_stopping()
        verdict = _try(step, attempt) if goes_on else Verdict(step, "not tried")
        goes_on = verdict.outcome == "kept"
        yield verdict


def _try(step: str, attempt: Callable[[], None]) -> Verdict:
    started = time.monotonic()
    try:
        attempt()
    except Broken as broken:
        return Verdict(step, "broken", round(time.monotonic() - started, 3), broken.expected, broken.found)
    except Stopped:
        return Verdict(step, "not tried")
    return Verdict(step, "kept", round(time.monotonic() - started, 3))
