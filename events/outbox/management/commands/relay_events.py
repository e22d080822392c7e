from __future__ import annotations

import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseFailure
from django.db import connection

from events.backoff import LONGEST_PAUSE, retry_in
from events.outbox import metrics
from events.outbox.models import OutboxEvent
from events.outbox.relaying import Relayed, relay_batch
from events.tracing import untraced
from events.transports.choice import open_transport
from events.transports.contract import Transport
from ops.cli.arguments import whole_number
from ops.cli.command import USAGE, OpsCommand, Result
from ops.cli.heartbeat import beat
from ops.cli.pacing import pause_until
from ops.cli.run_metrics import CounterReport

log = structlog.get_logger(__name__)

POLL = 0.5  # seconds between two looks at an outbox in which nothing is due


class Command(OpsCommand):
    help = (
        "Send the events of the outbox to EVENTS_URL, until a signal comes: at least once, for each order in order.\n"
        "Any number of relays share the work. An event that fails is tried again with growing pauses and holds back\n"
        "only later events of its own subject; after EVENTS_MAX_ATTEMPTS failures it is a dead letter (list_events,\n"
        "redrive_events). While the other side is away everything waits, and nothing counts as a failure."
    )
    examples = (
        "  manage.py relay_events            as a process of its own\n"
        "  manage.py relay_events --once     send what is due now, then end\n\n"
        "With EVENTS_URL unset events stay in the outbox: --once says so and ends with 0, otherwise it is wrong\n"
        "configuration and ends with 2. --once ends with 1 if an event could not be sent."
    )
    loops = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="send what is due, then end")
        parser.add_argument(
            "--batch",
            type=whole_number(1, 10_000),
            default=1_000,
            metavar="N",
            help="events that are claimed at once at most (default: %(default)s)",
        )
        parser.add_argument(
            "--lease",
            type=whole_number(2, 3_600),
            default=30,
            metavar="SECONDS",
            help="how long what it claims is this relay's own, also after a kill -9 (default: %(default)s)",
        )

    def perform(self, *, once: bool, batch: int, lease: int, **options: Any) -> Result:
        transport = open_transport(settings.CONFIG)
        if transport is None:
            if not once:
                raise CommandError("EVENTS_URL is unset: there is nowhere to send events to.", returncode=USAGE)
            pending = OutboxEvent.objects.filter(sent_at=None, dead_at=None).count()
            return Result(f"EVENTS_URL is unset: {_events(pending)} wait in the outbox.", {"pending": pending})
        report = CounterReport(settings.CONFIG, command="relay_events", counters=[metrics.events_published_total])
        total = Relayed()
        try:
            with untraced():
                self._relay(transport, total, once=once, batch=batch, lease=lease, report=report)
        finally:
            transport.close()
            report.publish()
        counts = {"sent": total.sent, "failed": total.failed, "dead": total.dead}
        problems = [f"{_events(total.failed)} failed"] if once and total.failed else []
        if once and total.unavailable:
            problems.append(total.unavailable)
        return Result(f"Sent {_events(total.sent)}{''.join(f'; {problem}' for problem in problems)}.", counts, problems)

    def _relay(
        self, transport: Transport, total: Relayed, *, once: bool, batch: int, lease: int, report: CounterReport
    ) -> None:
        maximum: int = settings.CONFIG.events_max_attempts
        setbacks = 0  # in a row
        while not self.stopping:
            beat()
            try:
                done = relay_batch(
                    transport, limit=batch, lease=lease, max_attempts=maximum, stopping=lambda: self.stopping
                )
            except DatabaseFailure as error:
                connection.close()  # or the next statement would fail on the same broken one
                if once:
                    raise
                done = Relayed(unavailable=f"the database: {type(error).__name__}")
            total.add(done)
            report.publish_now_and_then()
            if done.unavailable:
                if once:
                    return
                if not setbacks:
                    log.warning("relay.held_up", reason=done.unavailable)
                pause = retry_in(setbacks, longest=LONGEST_PAUSE)
                setbacks += 1
            else:
                if setbacks:
                    log.info("relay.resumed", setbacks=setbacks)
                setbacks = 0
                if once and not done.claimed:
                    return
                pause = 0.0 if done.sent or once else POLL  # else what has just failed may be all there is
            pause_until(time.monotonic() + pause, lambda: self.stopping)


def _events(count: int) -> str:
    return f"{count} event" if count == 1 else f"{count} events"
