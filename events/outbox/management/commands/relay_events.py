from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseFailure
from django.db import connection

from events.backoff import LONGEST_PAUSE, retry_in
from events.outbox import metrics
from events.outbox.models import OutboxEvent
from events.outbox.relay import Relayed, relay_batch
from events.tracing import untraced
from events.transports.contract import Transport
from events.transports.factory import open_transport
from ops.cli.arguments import add_number, counted
from ops.cli.command import USAGE, Result
from ops.cli.loop import LoopCommand

log = structlog.get_logger(__name__)

POLL = 0.5  # seconds between two queries while no event is due


class Command(LoopCommand):
    """Send the events of the outbox to EVENTS_URL until a signal: at least once, and in order for each subject.
    Any number of relays share the work. A failed event is retried after growing pauses and delays only later
    events of its subject. After EVENTS_MAX_ATTEMPTS failures it is a dead letter (list_events, redrive_events).
    While the receiver is unavailable, all events wait and none counts as a failure.

    Examples:
      manage.py relay_events            run as a process
      manage.py relay_events --once     send the events due now, then end

    If EVENTS_URL is unset, events stay in the outbox: --once reports it and exits with 0, otherwise the command
    exits with 2. --once exits with 1 if it could not send an event.
    """

    counters = (metrics.events_published_total,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="send the events due now, then end")
        meaning = "largest number of events to claim at once"
        add_number(parser, "--batch", 1, 10_000, meaning=meaning, default=1_000)
        meaning = "how long a claim lasts, also after a kill -9"
        add_number(parser, "--lease", 2, 3_600, meaning=meaning, default=30, metavar="SECONDS")

    def perform(self, *, once: bool, batch: int, lease: int, **options: Any) -> Result:
        transport = open_transport(settings.CONFIG)
        if transport is None:
            if not once:
                raise CommandError("EVENTS_URL is unset: the relay has no receiver.", returncode=USAGE)
            pending = OutboxEvent.objects.filter(sent_at=None, dead_at=None).count()
            return Result(f"EVENTS_URL is unset: {counted(pending, 'event')} wait in the outbox.", {"pending": pending})
        total = Relayed()
        try:
            with untraced():
                self._relay(transport, total, once=once, batch=batch, lease=lease)
        finally:
            transport.close()
        counts = {"sent": total.sent, "failed": total.failed, "dead": total.dead}
        problems = [f"{counted(total.failed, 'event')} failed"] if once and total.failed else []
        if once and total.unavailable:
            problems.append(total.unavailable)
        return Result(
            f"Sent {counted(total.sent, 'event')}{''.join(f'; {problem}' for problem in problems)}.", counts, problems
        )

    def _relay(self, transport: Transport, total: Relayed, *, once: bool, batch: int, lease: int) -> None:
        maximum: int = settings.CONFIG.events_max_attempts
        failures, reason = 0, ""  # failures in a row, and the last one's reason
        while not self.stopping:
            self.beat()
            try:
                done = relay_batch(
                    transport, limit=batch, lease=lease, max_attempts=maximum, stopping=lambda: self.stopping
                )
            except DatabaseFailure as error:
                connection.close()  # otherwise the next statement would fail on the same broken connection
                if once:
                    raise
                done = Relayed(unavailable=f"the database: {type(error).__name__}")
            total.add(done)
            if done.unavailable:
                if once:
                    return
                if done.unavailable != reason:  # at first, and whenever it changes
                    log.warning("relay.held_up", reason=done.unavailable)
                reason = done.unavailable
                pause = retry_in(failures, longest=LONGEST_PAUSE)
                failures += 1
            else:
                if failures:
                    log.info("relay.resumed", failures=failures)
                failures, reason = 0, ""
                if once and not done.claimed:
                    return
                pause = 0.0 if done.sent or once else POLL  # otherwise the failed events may be the only ones
            self.pause(pause)
