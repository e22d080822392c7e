"""A broker for tests; each test has its own exchange and queues."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import amqp
import pytest
from kombu import Connection
from pydantic import SecretStr

from events.config import EventsConfig


def url() -> str:
    """Return the broker's URL; fail if only this server is missing."""
    found = os.environ.get("TEST_AMQP_URL")
    assert found, "TEST_AMQP_URL is unset, though these tests run with servers"
    return found


def deselect_without_rabbitmq(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests that need a broker if no server at all is given: `make test` on SQLite."""
    with_servers = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL", "").startswith("postgres")
    if os.environ.get("TEST_AMQP_URL") or with_servers:
        return
    left_out = [item for item in items if "rabbitmq" in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@dataclass
class Broker:
    """The part of RabbitMQ that one test uses."""

    exchange: str
    channel: Any

    def configured(self, config: EventsConfig, **more: Any) -> EventsConfig:
        return config.model_copy(
            update={"events_url": SecretStr(url()), "events_exchange": self.exchange, "events_timeout": 10.0, **more}
        )

    def queue(self, name: str = "everything") -> str:
        """Return a queue bound to every message of the exchange."""
        full = f"{self.exchange}.{name}"
        self.channel.exchange_declare(self.exchange, "topic", durable=True, auto_delete=False)
        self.channel.queue_declare(full, durable=True, auto_delete=False)
        self.channel.queue_bind(full, self.exchange, "#")
        return full

    def publish(self, body: bytes | str, routing_key: str = "argos.test", **properties: Any) -> None:
        self.channel.basic_publish(amqp.Message(body, **properties), exchange=self.exchange, routing_key=routing_key)

    def messages(self, queue: str) -> list[Any]:
        """Drain a queue."""
        return list(iter(lambda: self.channel.basic_get(queue, no_ack=True), None))

    def count(self, queue: str) -> int:
        return int(self.channel.queue_declare(queue, passive=True).message_count)


@contextmanager
def broker() -> Iterator[Broker]:
    """Yield a broker; delete the test's exchange and queues afterwards."""
    exchange = f"argos-test-{uuid4().hex}"
    with Connection(url(), connect_timeout=10) as connection:
        here = Broker(exchange, connection.channel())
        try:
            yield here
        finally:
            take_away(exchange)


def take_away(exchange: str) -> None:
    """Delete an exchange and its queues."""
    with Connection(url(), connect_timeout=10) as connection:
        channel = connection.channel()
        for service in ("products-service", "shop-service"):
            for kind in ("", ".retry", ".dead"):
                channel.queue_delete(f"{exchange}.{service}{kind}")
        channel.queue_delete(f"{exchange}.everything")
        channel.exchange_delete(exchange)


@pytest.fixture
def rabbitmq() -> Iterator[Broker]:
    with broker() as here:
        yield here
