"""What a check of `doctor` is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from ops.config.service import ServiceConfig

Level = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Finding:
    """One line: how bad it is, what is so, and what to do about it."""

    level: Level
    says: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """A question to the service's surroundings; where it has no answer, that is a failure.

    If the check that it rests on has failed too, it is only not known: one cause is one failure.
    """

    id: str
    examine: Callable[[ServiceConfig], Iterable[Finding]]
    advice: str  # where there is no answer
    rests_on: str = ""
    deadline: float = 5.0  # seconds


def ok(says: str) -> Finding:
    return Finding("ok", says)


def warning(says: str, advice: str) -> Finding:
    return Finding("warning", says, advice)


def failure(says: str, advice: str) -> Finding:
    return Finding("failure", says, advice)
