"""The interface of the transports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from events.cloudevents import Event


@dataclass
class SendResult:
    """The result of each event of a batch, by its place. Events neither sent nor failed were not tried.

    `failed` has the failures of events, which count as attempts. `unavailable` is a failure of the receiver: no event
    can be sent for the moment, and none counts as failed.
    """

    sent: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    unavailable: str | None = None


class Transport(Protocol):
    """Send events; every wait has a deadline. `should_stop` is asked between two events."""

    def send(self, events: Sequence[Event], *, should_stop: Callable[[], bool]) -> SendResult: ...

    def close(self) -> None: ...
