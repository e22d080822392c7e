"""The schedule of kills, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST, LONGEST = 0.0, 2.0  # seconds that a victim stays down
RARE = {"rabbitmq"}  # starts in six seconds, so it is killed a third as often as the others


@dataclass(frozen=True, order=True)
class Strike:
    """One kill and the later restart of the same process."""

    at: float
    victim: str
    down_for: float


def make_schedule(*, seed: int, seconds: float, kills: int, victims: Sequence[str]) -> list[Strike]:
    """Return the kills sorted by time; each victim at least once if there are enough kills."""
    chance = random.Random(seed)
    weights = [1 if victim in RARE else 3 for victim in victims]
    chosen = [*victims, *chance.choices(victims, weights, k=max(0, kills - len(victims)))][:kills]
    chance.shuffle(chosen)
    times = sorted(chance.uniform(0, seconds) for _ in chosen)
    return [
        Strike(round(at, 3), victim, round(chance.uniform(SHORTEST, LONGEST), 3))
        for at, victim in zip(times, chosen, strict=True)
    ]
