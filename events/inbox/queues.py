"""The queues of one service: what arrives, what is to be tried again, what nobody could take.

Quorum queues, as their messages survive the broker's being killed on their way from one to another too: a message goes
back from the retry queue "at least once", which classic queues do not promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from events.transports.broker import declare_exchange
from ops.config.service import ServiceConfig

EVERYTHING = "argos.#"  # every type: one that nothing is done for is acknowledged, and its sender is not held up
# Deliveries that no consumer lived to acknowledge; by then it goes where somebody looks at it. RabbitMQ 4 would make it
# 20 and drop the message: restarting a consumer so often must not.
MOST_DELIVERIES = 10_000
QUORUM = {"x-queue-type": "quorum"}
AT_LEAST_ONCE = {
    "x-dead-letter-exchange": "",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


@dataclass(frozen=True)
class Queues:
    """Their names."""

    exchange: str
    main: str
    retry: str
    dead: str

    @classmethod
    def of(cls, config: ServiceConfig) -> Queues:
        main = f"{config.events_exchange}.{config.service}"
        return cls(config.events_exchange, main, f"{main}.retry", f"{main}.dead")

    def declare(self, channel: Any) -> None:
        """Declare them, and what leads into them."""
        declare_exchange(channel, self.exchange)
        arguments = {
            self.dead: QUORUM,
            self.main: QUORUM
            | AT_LEAST_ONCE
            | {"x-dead-letter-routing-key": self.dead, "x-delivery-limit": MOST_DELIVERIES},
            self.retry: QUORUM | AT_LEAST_ONCE | {"x-dead-letter-routing-key": self.main},
        }
        for name, own in arguments.items():
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=own)
        channel.queue_bind(self.main, self.exchange, EVERYTHING)
