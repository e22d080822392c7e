"""Kill and restart processes by a schedule; restart any other dead process too, as an orchestrator would."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Sequence

from tests.faults.schedule import Strike
from tests.faults.victims import Victim


class Killer:
    """Executes a schedule; a slow machine delays it, but it stays complete and in order."""

    def __init__(self, victims: Sequence[Victim]) -> None:
        self.victims = {victim.name: victim for victim in victims}
        self.kills: Counter[str] = Counter()
        self.fell: Counter[str] = Counter()  # ended without a kill, as a command may without its database
        self._due: list[tuple[float, str]] = []

    def carry_out(self, schedule: Sequence[Strike]) -> None:
        started = time.monotonic()
        for strike in schedule:
            self._wait_until(started + strike.at)
            victim = self.victims[strike.victim]
            if not victim.is_running():  # a second kill in a row: it hits the start
                self._due = [(at, name) for at, name in self._due if name != strike.victim]
                heapq.heapify(self._due)
                victim.start(ready_within=0.0)
            victim.kill()
            self.kills[strike.victim] += 1
            heapq.heappush(self._due, (time.monotonic() + strike.down_for, strike.victim))

    def heal(self, *, within: float = 120.0) -> None:
        """Start every stopped process and wait until each is ready."""
        self._due.clear()
        for victim in self.victims.values():  # in their order, as later ones need earlier ones
            if not victim.is_running():
                victim.start(ready_within=0.0)
            victim.wait_until_ready(within)

    def _wait_until(self, moment: float) -> None:
        while True:
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, name = heapq.heappop(self._due)
                self.victims[name].start(ready_within=0.0)
            self.raise_the_fallen()
            if now >= moment:
                return
            next_due = self._due[0][0] if self._due else moment
            time.sleep(max(0.0, min(0.2, next_due - now, moment - now)))

    def raise_the_fallen(self) -> None:
        """Restart ended processes, as an orchestrator would."""
        waiting = {name for _, name in self._due}
        for name, victim in self.victims.items():
            if name not in waiting and not victim.is_running():
                self.fell[name] += 1
                victim.start(ready_within=0.0)
