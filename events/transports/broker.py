"""RabbitMQ through kombu: connections with bounded waits, and publishing with confirms."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import amqp
from kombu import Connection
from kombu.exceptions import KombuError

from events.config import EventsConfig
from ops.outbound.broker_tls import broker_tls

HEARTBEAT = 20  # seconds; a peer is lost after twice this time without a sign
PERSISTENT = 2
UNROUTABLE = "no queue takes it"
BLOCKED = "RabbitMQ takes no messages: it is short of memory or disk"
UNAVAILABLE: tuple[type[Exception], ...] = (OSError, amqp.AMQPError, KombuError)
Key = tuple[str, str, bytes]  # equal for a message that is published again


@dataclass(frozen=True)
class Outgoing:
    """A message for one exchange, or for one queue if the exchange is empty."""

    routing_key: str
    body: bytes
    message_id: str
    content_type: str
    headers: Mapping[str, Any]
    exchange: str = ""
    expires_in: float | None = None  # seconds

    @property
    def key(self) -> Key:
        return self.routing_key, self.message_id, self.body


def connect(config: EventsConfig, purpose: str) -> Any:
    """Return an open connection; raise one of UNAVAILABLE."""
    assert config.events_url is not None  # noqa: S101 - the caller has checked
    url = config.events_url.get_secret_value()
    connection = Connection(
        url,
        ssl=broker_tls(config, url),
        connect_timeout=config.events_timeout,
        heartbeat=HEARTBEAT,
        transport_options={
            "read_timeout": config.events_timeout,
            "write_timeout": config.events_timeout,
            "client_properties": {"connection_name": f"{config.service} {purpose}"},
        },
    )
    # One attempt: the caller pauses between attempts and checks for signals.
    connection.ensure_connection(
        max_retries=1, interval_start=0, interval_step=0, interval_max=0, reraise_as_library_errors=False
    )
    return connection


def close(connection: Any) -> None:
    """Close a connection in any state, without waiting for the broker."""
    with contextlib.suppress(*UNAVAILABLE):
        connection.collect()


def host_of(config: EventsConfig) -> str:
    """Return the address of the broker without its password."""
    assert config.events_url is not None  # noqa: S101 - the caller has checked
    parts = urlsplit(config.events_url.get_secret_value())
    return f"{parts.hostname}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}"


def declare_exchange(connection: Any, name: str) -> None:
    """Declare the durable topic exchange of all events, if it is missing: only that takes the right to configure it."""
    try:
        with connection.channel() as channel:
            channel.exchange_declare(name, "topic", passive=True)
    except amqp.NotFound:  # which has closed the channel
        with connection.channel() as channel:
            channel.exchange_declare(name, "topic", durable=True, auto_delete=False)


class ConfirmedPublisher:
    """Publish on a channel of its own: send many messages, then wait for their confirms.

    kombu's own `confirm_publish` waits for each message alone: about a tenth as fast.

    During an alarm RabbitMQ blocks a connection, mostly after its first message. It delivers that message after the
    alarm, even if the connection has closed. So keep the connection, and publish the same
    messages again: only new ones are sent.
    """

    def __init__(self, connection: Any, *, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._channel = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)
        connection.connection.on_blocked = self._on_blocked
        connection.connection.on_unblocked = self._on_unblocked
        self._is_blocked = False
        self._last_tag = 0
        self._waiting: dict[int, Key] = {}  # messages without a confirm, by delivery tag
        self._results: dict[Key, str] = {}  # why a message failed; empty if it was confirmed

    @property
    def channel(self) -> Any:
        return self._channel

    def publish(
        self, messages: Sequence[Outgoing], *, should_stop: Callable[[], bool] = lambda: False
    ) -> tuple[list[int], dict[int, str]]:
        """Return the places of the confirmed messages, and the reasons of the failed ones.

        Raise PublishingEnded with the results so far if the broker stops answering, or Blocked during its alarm.
        """
        self._results = {}
        held = set(self._waiting.values())  # RabbitMQ blocked the connection after they were sent
        try:
            with contextlib.suppress(TimeoutError):
                while True:  # until no more has arrived
                    self._connection.drain_events(timeout=0)
            for message in messages:
                if self._is_blocked or should_stop():
                    break
                if message.key not in held:
                    self._publish(message)
            deadline = time.monotonic() + self._timeout
            while self._waiting and not self._is_blocked:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("no confirm in time")
                self._connection.drain_events(timeout=left)
        except UNAVAILABLE as error:
            raise PublishingEnded(self._outcome(messages), error) from error
        confirmed, failed = self._outcome(messages)
        if self._is_blocked and len(confirmed) + len(failed) < len(messages):
            raise Blocked((confirmed, failed), OSError(BLOCKED))
        return confirmed, failed

    def _publish(self, message: Outgoing) -> None:
        properties = {} if message.expires_in is None else {"expiration": str(round(message.expires_in * 1000))}
        content = amqp.Message(
            message.body,
            content_type=message.content_type,
            delivery_mode=PERSISTENT,
            message_id=message.message_id,
            application_headers=dict(message.headers),
            **properties,
        )
        self._last_tag += 1
        self._waiting[self._last_tag] = message.key
        # Mandatory: an unroutable message comes back before its confirm instead of being dropped.
        self._channel.basic_publish(
            content,
            exchange=message.exchange,
            routing_key=message.routing_key,
            mandatory=True,
            timeout=self._timeout,
        )

    def _outcome(self, messages: Sequence[Outgoing]) -> tuple[list[int], dict[int, str]]:
        results = {place: self._results.get(message.key) for place, message in enumerate(messages)}
        confirmed = [place for place, reason in results.items() if reason == ""]
        return confirmed, {place: reason for place, reason in results.items() if reason}

    def _take_from_waiting(self, tag: int, multiple: bool) -> list[Key]:
        tags = [one for one in self._waiting if one <= tag] if multiple else [tag]
        return [self._waiting.pop(one) for one in tags if one in self._waiting]

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for key in self._take_from_waiting(tag, multiple):
            self._results.setdefault(key, "")

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._results |= dict.fromkeys(self._take_from_waiting(tag, multiple), "refused by the broker")

    def _on_return(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        self._results[routing_key, message.properties.get("message_id") or "", message.body or b""] = UNROUTABLE

    def _on_blocked(self, reason: str) -> None:
        self._is_blocked = True

    def _on_unblocked(self) -> None:
        self._is_blocked = False


class PublishingEnded(Exception):
    """The broker stopped answering; `outcome` has the results until then."""

    def __init__(self, outcome: tuple[list[int], dict[int, str]], error: Exception) -> None:
        super().__init__(reason(error))
        self.outcome = outcome


class Blocked(PublishingEnded):
    """RabbitMQ takes no messages during its alarm. Keep the connection, which may hold some; publish again later."""


def reason(error: BaseException) -> str:
    """Return a short reason why the broker is unavailable."""
    if isinstance(error, socket.timeout | TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
