from __future__ import annotations

import time
from collections import Counter
from typing import Any

import structlog
from django.core.management.base import CommandParser
from django.db import Error as DatabaseFailure
from django.db import connection

from ops.cli.arguments import whole_number
from ops.cli.command import OpsCommand, Result
from ops.cli.heartbeat import beat
from ops.cli.pacing import pause_until
from orders_project.orders.recovery import due_orders, recover
from orders_project.orders.recovery_metrics import reported

log = structlog.get_logger(__name__)

OUTCOMES = ("confirmed", "rejected", "released", "postponed")


class Command(OpsCommand):
    help = (
        "Settle orders that nobody works at any more: those that a crash or an answer that never came left pending.\n"
        "It asks products for the order's reservation: what is held is confirmed; an order for which nothing is held\n"
        "is rejected, and its reservation refused from then on. What rejected orders may hold is given back.\n"
        "It goes on until it gets a signal; several at once share the work."
    )
    examples = (
        "  manage.py recover_orders              the process `recovery` of the Procfile\n"
        "  manage.py recover_orders --once       what is due now\n\n"
        "While products gives no answer an order waits, 30 seconds at the most, and is asked about again: --once then\n"
        "ends with 1. Without --once a failing database is waited for as well."
    )
    loops = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="end when nothing is due any more")
        parser.add_argument(
            "--interval",
            type=whole_number(1, 3_600),
            default=1,
            metavar="S",
            help="seconds between two looks where nothing is due (default: %(default)s)",
        )

    def perform(self, *, once: bool, interval: int, **options: Any) -> Result:
        counts: Counter[str] = Counter()
        with reported() as report:
            while not self.stopping:
                beat()
                try:
                    is_more = self._resolve_some(counts)
                except DatabaseFailure as error:
                    if once:
                        raise
                    log.warning("recovery.database_failed", reason=" ".join(str(error).split()))
                    connection.close()  # or a connection that is lost would fail for ever
                    is_more = False
                report.publish_now_and_then()
                if once and not is_more:
                    break
                if not is_more:
                    pause_until(time.monotonic() + interval, lambda: self.stopping)
        done = {outcome: counts[outcome] for outcome in OUTCOMES}
        sentence = ", ".join(f"{count} {outcome}" for outcome, count in done.items()).capitalize()
        return Result(f"{sentence}.", done, ["products gave no answer"] if once and counts["postponed"] else [])

    def _resolve_some(self, counts: Counter[str]) -> bool:
        """Settle what is due, up to a number or a signal; false if nothing was."""
        due = due_orders()
        for order in due:
            if self.stopping:
                break
            if outcome := recover(order):
                counts[outcome] += 1
        return bool(due)
