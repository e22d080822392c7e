from __future__ import annotations

import time
from functools import partial
from typing import Any

import amqp
import structlog
from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from events.backoff import LONGEST_PAUSE, retry_in
from events.inbox.consumer import Consumer, DatabaseAway
from events.inbox.metrics import start_dead_letters
from events.tracing import untraced
from events.transports import broker
from ops.cli.arguments import add_number
from ops.cli.command import FAILED, USAGE, Result
from ops.cli.loop import LoopCommand

log = structlog.get_logger(__name__)

AWAY: tuple[type[Exception], ...] = (*broker.UNAVAILABLE, broker.PublishingEnded, DatabaseAway)
ONCE = 2.0  # seconds without an event, after which --once ends


class Command(LoopCommand):
    """Consume events from RabbitMQ until a signal. Each event takes effect once, however often it is delivered.
    The command acknowledges an event after its effect is stored. A failed event waits in the retry queue. After
    EVENTS_MAX_ATTEMPTS failures, or at once if it is not a valid event, it moves to the dead-letter queue. The
    other events continue. While the broker or the database is unavailable, all events wait and none counts as a
    failure.

    Examples:
      manage.py consume_events            run as a process
      manage.py consume_events --once     consume the waiting events, then end

    Without an amqp:// URL in EVENTS_URL it exits with 2: over HTTP, the web process receives POST /events. The
    queues are EVENTS_EXCHANGE.products-service, .retry and .dead.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="consume the waiting events, then end")
        meaning = "events delivered ahead; the broker redelivers them if this process dies"
        add_number(parser, "--prefetch", 1, 1_000, meaning=meaning, default=50)
        meaning = "how long a failed event waits in the retry queue"
        add_number(parser, "--retry-after", 1, 3_600, meaning=meaning, default=10, metavar="SECONDS")

    def perform(self, *, once: bool, prefetch: int, retry_after: int, **options: Any) -> Result:
        url = settings.CONFIG.events_url
        if url is None or not url.get_secret_value().startswith("amqp"):
            raise CommandError("EVENTS_URL is not an amqp:// URL, so there are no queues to consume.", returncode=USAGE)
        consumer = Consumer(settings.CONFIG, prefetch=prefetch, retry_after=retry_after)
        start_dead_letters()
        try:
            with untraced():
                self._consume(consumer, once=once)
        except amqp.PreconditionFailed as error:
            raise CommandError(
                f"A queue or the exchange exists with other arguments: {broker.reason(error)}. "
                "Empty and delete it, or set another EVENTS_EXCHANGE.",
                returncode=FAILED,
            ) from None
        counts = {"taken": consumer.taken, "retried": consumer.retried, "dead": consumer.dead_lettered}
        return Result(
            f"Consumed {consumer.taken} events: {consumer.retried} to retry, {consumer.dead_lettered} dead letters.",
            counts,
        )

    def _consume(self, consumer: Consumer, *, once: bool) -> None:
        """Consume until stopped; reconnect after the broker or the database was unavailable."""
        failures = 0  # in a row
        while not self.is_to_stop():
            before = consumer.taken
            until = time.monotonic() + ONCE
            try:
                consumer.consume(stopping=self.is_to_stop, idle=partial(_has_all, once, until))
                return
            except amqp.PreconditionFailed:
                raise
            except AWAY as error:
                peer = "the database" if isinstance(error, DatabaseAway) else broker.host_of(settings.CONFIG)
                reason = f"{peer}: {broker.reason(error)}"
            if once:
                raise CommandError(f"Could not consume all events: {reason}.", returncode=FAILED)
            failures = 0 if consumer.taken > before else failures + 1
            log.warning("consumer.held_up", reason=reason, failures=failures)
            self.pause(retry_in(failures, longest=LONGEST_PAUSE))


def _has_all(once: bool, until: float) -> bool:
    return once and time.monotonic() > until
