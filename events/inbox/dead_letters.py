"""The dead letters of this service's consumer, in RabbitMQ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from events.cloudevents import CONTENT_TYPE
from events.config import EventsConfig
from events.inbox.consumer import ATTEMPTS, ERROR, KEPT, attempts_of
from events.inbox.queues import Queues
from events.transports import broker


@dataclass(frozen=True)
class DeadLetter:
    """One message of the dead-letter queue; its body may be anything."""

    message_id: str
    type: str
    subject: str
    reason: str
    attempts: int
    body: str


def list_dead_letters(config: EventsConfig, *, limit: int) -> tuple[int, list[DeadLetter]]:
    """Return how many there are, and the first of them; raise one of broker.UNAVAILABLE or PublishingEnded.

    Each listed message goes behind the others. To return it to its place would count as a failed delivery; after some
    of those RabbitMQ drops a message.
    """
    with _messages(config) as (total, take, queues):
        taken = take(min(limit, total), lambda message: _copy(message, queues.dead, _headers(message)))
        return total, [_described(message) for message in taken]


def redrive_dead_letters(config: EventsConfig, *, limit: int | None, dry_run: bool) -> int:
    """Return dead letters to the consumer, as if they had never failed; return how many."""
    with _messages(config) as (total, take, queues):
        wanted = total if limit is None else min(limit, total)
        if dry_run:
            return wanted
        return sum(1 for _ in take(wanted, lambda message: _copy(message, queues.main, _headers(message, KEPT))))


@contextmanager
def _messages(config: EventsConfig) -> Iterator[tuple[int, Any, Queues]]:
    """Yield the number of dead letters, a function that moves some of them, and the queues."""
    queues = Queues.of(config)
    connection = broker.connect(config, "dead letters")
    try:
        publisher = broker.ConfirmedPublisher(connection, timeout=config.events_timeout)
        channel = connection.channel()
        channel.auto_decode = False
        queues.declare(connection)
        total = channel.queue_declare(queues.dead, passive=True).message_count

        def take(count: int, copy_of: Callable[[Any], broker.Outgoing]) -> Iterator[Any]:
            for _ in range(count):
                message = channel.basic_get(queues.dead)
                if message is None:
                    return
                _, failed = publisher.publish([copy_of(message)])
                if failed:
                    raise OSError(failed[0])
                channel.basic_ack(message.delivery_tag)  # after the confirm: a crash in between leaves two, not none
                yield message

        yield total, take, queues
        channel.close()  # waits for the broker, so that no acknowledgement is lost
    finally:
        broker.close(connection)


def _copy(message: Any, queue: str, headers: dict[str, Any]) -> broker.Outgoing:
    return broker.Outgoing(
        routing_key=queue,
        body=message.body,
        message_id=str(message.properties.get("message_id") or ""),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


def _headers(message: Any, names: Iterable[str] = (ATTEMPTS, ERROR, *KEPT)) -> dict[str, Any]:
    """Return our own headers and the trace; the broker adds its own again."""
    found = message.properties.get("application_headers") or {}
    return {name: found[name] for name in names if name in found}


def _described(message: Any) -> DeadLetter:
    try:
        document = orjson.loads(message.body)
    except orjson.JSONDecodeError:
        document = None
    event = document if isinstance(document, dict) else {}
    headers = _headers(message)
    return DeadLetter(
        message_id=str(message.properties.get("message_id") or ""),
        type=str(event.get("type", "")),
        subject=str(event.get("subject", "")),
        reason=str(headers.get(ERROR, "")),
        attempts=attempts_of(headers) or 0,
        body=message.body.decode("utf-8", "replace")[:2_000],
    )
