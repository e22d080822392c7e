"""Ask RabbitMQ as the processes of this service use it; make, send and take nothing."""

from __future__ import annotations

from typing import Any

import amqp
from django.apps import apps
from django.core.checks import CheckMessage
from kombu import Connection

from events.config import EventsConfig
from events.inbox.queues import Queues
from ops.diagnosis.probe import ok, reason
from ops.diagnosis.surroundings import ANSWERS
from ops.outbound.broker_tls import broker_tls


def ask_broker(config: EventsConfig, url: str, timeout: float) -> CheckMessage:
    """Log in, look for the exchange and the queues, and try the rights of the relay or the consumer."""
    options = {"read_timeout": timeout, "write_timeout": timeout}
    with Connection(url, ssl=broker_tls(config, url), connect_timeout=timeout, transport_options=options) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, reraise_as_library_errors=False)
        try:
            if apps.is_installed("events.outbox"):
                _ask_as_relay(connection.channel(), config.events_exchange)
            if apps.is_installed("events.inbox"):
                _ask_as_consumer(connection, Queues.of(config))
        except amqp.NotFound as error:
            return ok(f"answers; the relay or the consumer has yet to start: {reason(error)}")
    return ok(ANSWERS)


def _ask_as_relay(channel: Any, exchange: str) -> None:
    channel.exchange_declare(exchange, "topic", passive=True)
    channel.tx_select()
    channel.basic_publish(amqp.Message(b""), exchange=exchange, routing_key="argos")
    channel.tx_rollback()  # so the message goes nowhere: RabbitMQ checks the right to publish before


def _ask_as_consumer(connection: Any, queues: Queues) -> None:
    with connection.channel() as channel:
        for queue in (queues.main, queues.retry, queues.dead):
            channel.queue_declare(queue, passive=True)
    # All exist and are declared again, with the arguments of the consumer: this changes nothing and needs its rights.
    queues.declare(connection)
