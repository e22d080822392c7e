from __future__ import annotations

from collections import Counter
from typing import Any

import structlog
from django.core.management.base import CommandParser
from django.db import Error as DatabaseFailure
from django.db import connection

from events.tracing import untraced
from ops.cli.arguments import add_number
from ops.cli.command import Result
from ops.cli.loop import LoopCommand
from orders_project.orders.metrics import orders_recovered_total
from orders_project.orders.recovery import due_orders, recover

log = structlog.get_logger(__name__)

OUTCOMES = ("confirmed", "rejected", "released", "postponed")


class Command(LoopCommand):
    """Settle orders that a crash or a missing answer left pending.
    It asks products for the order's reservation. An order with a held reservation is confirmed. Any other order
    is rejected, and products refuses its reservation from then on. Stock held for rejected orders is released.
    It goes on until a signal; several at once share the work.

    Examples:
      manage.py recover_orders              the process `recovery` of the Procfile
      manage.py recover_orders --once       resolve the orders due now

    While products gives no answer, an order waits for up to 30 seconds; --once then ends with 1.
    Without --once it also waits for a failing database.
    """

    counters = (orders_recovered_total,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="end when nothing is due")
        meaning = "seconds between two rounds when nothing is due"
        add_number(parser, "--interval", 1, 3_600, meaning=meaning, default=1, metavar="S")

    def perform(self, *, once: bool, interval: int, **options: Any) -> Result:
        counts: Counter[str] = Counter()
        while not self.stopping:
            self.beat()
            try:
                is_more = self._resolve_some(counts)
            except DatabaseFailure as error:
                if once:
                    raise
                log.warning("recovery.database_failed", reason=" ".join(str(error).split()))
                connection.close()  # a lost connection would fail for ever
                is_more = False
            if once and not is_more:
                break
            if not is_more:
                self.pause(interval)
        done = {outcome: counts[outcome] for outcome in OUTCOMES}
        sentence = ", ".join(f"{count} {outcome}" for outcome, count in done.items()).capitalize()
        return Result(f"{sentence}.", done, ["products gave no answer"] if once and counts["postponed"] else [])

    def _resolve_some(self, counts: Counter[str]) -> bool:
        """Resolve a number of due orders, or stop at a signal; return false if none was due."""
        with untraced():
            due = due_orders()
        for order in due:
            if self.stopping:
                break
            if outcome := recover(order):
                counts[outcome] += 1
        return bool(due)
