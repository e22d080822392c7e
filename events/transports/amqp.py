"""Send events to RabbitMQ: a durable topic exchange, the type as the routing key, publisher confirms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from events import tracing
from events.cloudevents import CONTENT_TYPE, Event
from events.config import EventsConfig
from events.transports import broker
from events.transports.contract import SendResult


class AmqpTransport:
    """Publish a whole batch, then wait for its confirms; reconnect after a failure."""

    def __init__(self, config: EventsConfig) -> None:
        self._config = config
        self._connection: Any = None
        self._publisher: broker.ConfirmedPublisher | None = None

    def send(self, events: Sequence[Event], *, should_stop: Callable[[], bool]) -> SendResult:
        """Publish the events; an unroutable or refused event has failed."""
        try:
            publisher = self._connected()
            sent, failed = publisher.publish(self._messages(events), should_stop=should_stop)
        except broker.PublishingEnded as ended:
            if not isinstance(ended, broker.Blocked):
                self.close()
            sent, failed = ended.outcome
            return SendResult(sent, failed, f"{broker.host_of(self._config)}: {ended}")
        except broker.UNAVAILABLE as error:
            self.close()
            return SendResult(unavailable=f"{broker.host_of(self._config)}: {broker.reason(error)}")
        if failed and not sent:  # a queue is full or missing: this is not a failure of each event
            return SendResult(unavailable=f"{broker.host_of(self._config)}: {next(iter(failed.values()))}")
        return SendResult(sent, failed)

    def _connected(self) -> broker.ConfirmedPublisher:
        if self._publisher is not None and self._connection is not None:
            self._connection.heartbeat_check()  # raises if the broker has been silent
            return self._publisher
        self._connection = broker.connect(self._config, "relay")
        self._publisher = broker.ConfirmedPublisher(self._connection, timeout=self._config.events_timeout)
        broker.declare_exchange(self._connection, self._config.events_exchange)
        return self._publisher

    def _messages(self, events: Sequence[Event]) -> list[broker.Outgoing]:
        return [self._message(event) for event in events]

    def _message(self, event: Event) -> broker.Outgoing:
        destination = self._config.events_exchange
        with tracing.producer_span(event, system="rabbitmq", destination=destination) as headers:
            return broker.Outgoing(
                routing_key=event.type,
                body=event.to_json(),
                message_id=event.id,
                content_type=CONTENT_TYPE,
                headers=headers,
                exchange=destination,
            )

    def close(self) -> None:
        if self._connection is not None:
            broker.close(self._connection)
        self._connection = self._publisher = None
