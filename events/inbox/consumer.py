"""Consume events from RabbitMQ: acknowledge after the commit, retry failures, keep dead letters."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import structlog
from django.db import Error as DatabaseFailure
from django.db import connection as database

from events import tracing
from events.cloudevents import CONTENT_TYPE, InvalidEvent, parse_event
from events.config import EventsConfig
from events.fault_points import EventStep
from events.inbox.handler import handle_event
from events.inbox.queues import Queues
from events.transports import broker
from ops.testing.fault_points import fault_point

log = structlog.get_logger(__name__)

ATTEMPTS, ERROR = "x-argos-attempts", "x-argos-error"  # headers of retried and dead messages
LOOK_EVERY = 0.2  # seconds between two checks for a signal


class DatabaseAway(Exception):
    """The database does not answer; this is not a failure of the event."""


class Consumer:
    """Consume events over one connection. The broker redelivers unacknowledged events when it ends."""

    def __init__(self, config: EventsConfig, *, prefetch: int, retry_after: float) -> None:
        self._config = config
        self._queues = Queues.of(config)
        self._prefetch = prefetch
        self._retry_after = retry_after
        self._delivered: deque[Any] = deque()
        self.taken = 0
        self.retried = 0
        self.dead_lettered = 0

    def consume(self, *, stopping: Callable[[], bool], idle: Callable[[], bool] = lambda: False) -> None:
        """Consume events until `stopping` is true between two of them, or `idle` is true while none waits.

        Raise one of broker.UNAVAILABLE or DatabaseAway.
        """
        with self._connected() as (connection, channel, publisher):
            while not stopping():
                if not self._delivered and not self._wait(connection) and idle():
                    return
                while self._delivered and not stopping():
                    message = self._delivered.popleft()
                    self._handle(message, publisher)
                    with fault_point(EventStep.ACKNOWLEDGE):
                        channel.basic_ack(message.delivery_tag)
                    self.taken += 1
                connection.heartbeat_check()

    @contextmanager
    def _connected(self) -> Iterator[tuple[Any, Any, broker.ConfirmedPublisher]]:
        connection = broker.connect(self._config, "consumer")
        try:
            # Two channels, as the delivery tags of confirms and of acknowledgements must not be mixed.
            publisher = broker.ConfirmedPublisher(connection, timeout=self._config.events_timeout)
            channel = connection.channel()
            self._queues.declare(channel)
            channel.basic_qos(0, self._prefetch, False)
            self._delivered.clear()
            # Only collect here: handling one may wait for a confirm, and others are delivered meanwhile.
            channel.basic_consume(self._queues.main, callback=self._delivered.append)
            yield connection, channel, publisher
        finally:
            broker.close(connection)

    def _wait(self, connection: Any) -> bool:
        """Wait a moment for messages; return whether any came."""
        try:
            connection.drain_events(timeout=LOOK_EVERY)
        except TimeoutError:
            return False
        return bool(self._delivered)

    def _handle(self, message: Any, publisher: broker.ConfirmedPublisher) -> None:
        """Apply the message, or move it to the retry queue or the dead letters."""
        headers = message.properties.get("application_headers") or {}
        try:
            event = parse_event(message.body)
            with tracing.consumer_span(event, system="rabbitmq", destination=self._queues.main, headers=headers):
                handle_event(event)
        except InvalidEvent as error:
            self._move(message, publisher, str(error), headers, is_hopeless=True)
        except DatabaseFailure as error:
            if not database.is_usable():
                database.close()
                raise DatabaseAway(type(error).__name__) from error
            self._move(message, publisher, type(error).__name__, headers)
        except Exception as error:  # noqa: BLE001 - a failing handler must not stop the other events
            self._move(message, publisher, type(error).__name__, headers, exc_info=error)

    def _move(
        self,
        message: Any,
        publisher: broker.ConfirmedPublisher,
        reason: str,
        headers: dict[str, Any],
        *,
        is_hopeless: bool = False,
        exc_info: Exception | None = None,
    ) -> None:
        """Move the message: acknowledge it only after the other queue has confirmed it."""
        attempts = int(headers.get(ATTEMPTS, 0)) + 1
        is_dead = is_hopeless or attempts >= self._config.events_max_attempts
        body = message.body if isinstance(message.body, bytes) else message.body.encode()
        copy = broker.Outgoing(
            routing_key=self._queues.dead if is_dead else self._queues.retry,
            body=body,
            message_id=str(message.properties.get("message_id") or uuid4()),
            content_type=str(message.properties.get("content_type") or CONTENT_TYPE),
            headers={**headers, ATTEMPTS: attempts, ERROR: reason[:200]},
            expires_in=None if is_dead else self._retry_after,
        )
        _, failed = publisher.publish([copy])
        if failed:
            raise OSError(f"{copy.routing_key}: {failed[0]}")
        fields = {"event_id": copy.message_id, "reason": reason, "attempts": attempts}
        if is_dead:
            self.dead_lettered += 1
            log.error("event.set_aside", queue=self._queues.dead, exc_info=exc_info, **fields)
        else:
            self.retried += 1
            log.warning("event.put_off", exc_info=exc_info, **fields)
