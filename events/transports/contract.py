"""What a transport does, whichever EVENTS_URL chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from events.cloudevents import Event


@dataclass
class Sending:
    """Say how each event of a batch fared, by its place in it. What is neither sent nor failed was not tried.

    `failed` is the event's own failure, which counts against it. `unavailable` is the other side's: nothing can be sent
    for the moment, and no event is to blame.
    """

    sent: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    unavailable: str | None = None


class Transport(Protocol):
    """Send events; every wait has its deadline. `enough` says between two events that the rest is to be left."""

    def send(self, events: Sequence[Event], *, enough: Callable[[], bool]) -> Sending: ...

    def close(self) -> None: ...
