"""Consume events from RabbitMQ: acknowledge after the commit, retry failures, keep dead letters."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog
from django.db import Error as DatabaseFailure
from django.db import connection as database

from events import tracing
from events.backoff import LONGEST_PAUSE, retry_in
from events.cloudevents import CONTENT_TYPE, InvalidEvent, parse_event
from events.config import EventsConfig
from events.fault_points import EventStep
from events.inbox import metrics
from events.inbox.handler import handle_event
from events.inbox.queues import Queues
from events.transports import broker
from ops.database.errors import is_unavailable
from ops.telemetry import request_context
from ops.telemetry.tracing import bind_trace
from ops.testing.fault_points import fault_point

log = structlog.get_logger(__name__)

ATTEMPTS, ERROR = "x-argos-attempts", "x-argos-error"  # headers of retried and dead messages
KEPT = ("traceparent", "tracestate")  # the only headers of the sender's that a moved message keeps
UNAVAILABLE: tuple[type[Exception], ...] = (*broker.UNAVAILABLE, broker.PublishingEnded)
LOOK_EVERY = 0.2  # seconds between two checks for a signal


class DatabaseAway(Exception):
    """The database is away, read-only or full; this is not a failure of the event."""


@dataclass(frozen=True)
class Move:
    """A delivered message that goes to the retry queue or to the dead letters."""

    delivery_tag: int
    type: str
    copy: broker.Outgoing
    is_dead: bool
    reason: str
    attempts: int
    cause: Exception | None
    facts: Mapping[str, Any]  # the log fields of its event


class Consumer:
    """Consume events over one connection, and move failed ones over another.

    During an alarm RabbitMQ blocks a whole connection that publishes. Acknowledgements must still reach it then, as
    they are the way out of the alarm. A message that cannot be moved yet stays unacknowledged; the others go on. The
    broker redelivers unacknowledged events when the consumer ends.
    """

    def __init__(self, config: EventsConfig, *, prefetch: int, retry_after: float) -> None:
        self._config = config
        self._queues = Queues.of(config)
        self._prefetch = prefetch
        self._retry_after = retry_after
        self._delivered: deque[Any] = deque()
        self._held: deque[Move] = deque()
        self._mover = Mover(config)
        self.taken = 0
        self.retried = 0
        self.dead_lettered = 0

    def consume(self, *, stopping: Callable[[], bool], idle: Callable[[], bool] = lambda: False) -> None:
        """Consume events until `stopping` is true between two of them, or `idle` is true while none waits.

        Raise one of broker.UNAVAILABLE or DatabaseAway.
        """
        with self._connected() as (connection, channel):
            while not stopping():
                if not self._delivered and not self._wait(connection) and idle():
                    self._move_held(channel)
                    if self._held:
                        raise OSError(f"{len(self._held)} failed events could not be moved")
                    return
                while self._delivered and not stopping():
                    message = self._delivered.popleft()
                    # In its own context, so that the facts of an event stay with it.
                    if move := copy_context().run(self._handle, message):
                        self._held.append(move)
                    else:
                        self._acknowledge(channel, message.delivery_tag)
                    self._move_held(channel)
                self._move_held(channel)
                connection.heartbeat_check()

    @contextmanager
    def _connected(self) -> Iterator[tuple[Any, Any]]:
        connection = broker.connect(self._config, "consumer")
        try:
            channel = connection.channel()
            channel.auto_decode = False  # a body is bytes until it is parsed
            self._queues.declare(connection)
            channel.basic_qos(0, self._prefetch, False)
            self._delivered.clear()
            self._held.clear()
            # Only collect here: handling one may take a while, and others are delivered meanwhile.
            channel.basic_consume(self._queues.main, callback=self._delivered.append)
            yield connection, channel
            self._mover.close()  # not after an error: its connection may hold a message that waits for its confirm
        finally:
            broker.close(connection)

    def _wait(self, connection: Any) -> bool:
        """Wait a moment for messages; return whether any came."""
        try:
            connection.drain_events(timeout=LOOK_EVERY)
        except TimeoutError:
            return False
        return bool(self._delivered)

    def _acknowledge(self, channel: Any, delivery_tag: int) -> None:
        with fault_point(EventStep.ACKNOWLEDGE):
            channel.basic_ack(delivery_tag)
        self.taken += 1

    def _handle(self, message: Any) -> Move | None:
        """Apply the message; return where it goes if that failed."""
        headers = message.properties.get("application_headers") or {}
        kept = {name: headers[name] for name in KEPT if isinstance(headers.get(name), str)}
        request_context.clear()
        try:
            event = parse_event(message.body)
            request_context.begin(event.correlationid or None)
            with tracing.consumer_span(event, system="rabbitmq", destination=self._queues.main, headers=kept) as span:
                bind_trace(span)
                handle_event(event)
        except InvalidEvent as error:
            return self._move(message, str(error), kept, attempts=attempts_of(headers), is_hopeless=True)
        except DatabaseFailure as error:
            if is_unavailable(error):
                database.close()
                raise DatabaseAway(type(error).__name__) from error
            return self._move(message, type(error).__name__, kept, attempts=attempts_of(headers))
        except Exception as error:  # noqa: BLE001 - a failing handler must not stop the other events
            return self._move(message, type(error).__name__, kept, attempts=attempts_of(headers), cause=error)
        return None

    def _move(
        self,
        message: Any,
        reason: str,
        headers: Mapping[str, str],
        *,
        attempts: int | None,
        is_hopeless: bool = False,
        cause: Exception | None = None,
    ) -> Move:
        """Return where a failed message goes; a count of attempts that cannot be read counts as the last one."""
        most = self._config.events_max_attempts
        made = most if attempts is None else min(attempts + 1, most)
        is_dead = is_hopeless or made >= most
        copy = broker.Outgoing(
            routing_key=self._queues.dead if is_dead else self._queues.retry,
            body=message.body,
            message_id=str(message.properties.get("message_id") or uuid4()),
            content_type=CONTENT_TYPE,
            headers={**headers, ATTEMPTS: made, ERROR: reason[:200]},
            expires_in=None if is_dead else self._retry_after,
        )
        kind = str(message.delivery_info.get("routing_key", ""))  # which is the type of the event
        return Move(message.delivery_tag, kind, copy, is_dead, reason, made, cause, request_context.log_fields())

    def _move_held(self, channel: Any) -> None:
        """Move the held messages, and acknowledge each one that the other queue has confirmed."""
        while self._held and self._mover.move(self._held[0].copy):
            move = self._held.popleft()
            self._acknowledge(channel, move.delivery_tag)
            fields = {"event_id": move.copy.message_id, "reason": move.reason, "attempts": move.attempts, **move.facts}
            if move.is_dead:
                self.dead_lettered += 1
                metrics.count(move.type, metrics.DEAD)
                log.error("event.dead_lettered", queue=self._queues.dead, exc_info=move.cause, **fields)
            else:
                self.retried += 1
                log.warning("event.retried", exc_info=move.cause, **fields)


class Mover:
    """Publish failed messages over a connection of its own; after a failure, pause before the next attempt."""

    def __init__(self, config: EventsConfig) -> None:
        self._config = config
        self._connection: Any = None
        self._publisher: broker.ConfirmedPublisher | None = None
        self._failures = 0  # in a row
        self._not_before = 0.0

    def move(self, copy: broker.Outgoing) -> bool:
        """Return whether the broker has confirmed the message."""
        if time.monotonic() < self._not_before:
            return False
        try:
            _, failed = self._connected().publish([copy])
            trouble = failed.get(0, "")
        except UNAVAILABLE as error:
            trouble = broker.reason(error)
            if not isinstance(error, broker.Blocked):
                self.close()
        if not trouble:
            self._failures = 0
            return True
        pause = retry_in(self._failures, longest=LONGEST_PAUSE)
        self._not_before, self._failures = time.monotonic() + pause, self._failures + 1
        log.warning("consumer.held_up", reason=f"{copy.routing_key}: {trouble}", failures=self._failures)
        return False

    def close(self) -> None:
        if self._connection is not None:
            broker.close(self._connection)
        self._connection = self._publisher = None

    def _connected(self) -> broker.ConfirmedPublisher:
        if self._publisher is not None and self._connection is not None:
            self._connection.heartbeat_check()  # raises if the broker has been silent
            return self._publisher
        self._connection = broker.connect(self._config, "consumer, moving")
        self._publisher = broker.ConfirmedPublisher(self._connection, timeout=self._config.events_timeout)
        return self._publisher


def attempts_of(headers: Mapping[str, Any]) -> int | None:
    """Return how often the event has failed before; None if that cannot be read."""
    found = headers.get(ATTEMPTS, 0)
    return found if type(found) is int and found >= 0 else None
