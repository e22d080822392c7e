"""The queues of one service: new events, events to retry, dead letters.

They are quorum queues, as their messages survive a kill of the broker while they move between queues. A message
returns from the retry queue "at least once"; classic queues do not promise that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from events.config import EventsConfig
from events.transports.broker import declare_exchange

EVERYTHING = "argos.#"  # every type: types without a handler are acknowledged, so their sender does not wait
# After so many unacknowledged deliveries the message becomes a dead letter; a dead letter is dropped. RabbitMQ 4's
# default is 20. Neither 20 restarts of a consumer nor 20 interrupted runs of list_dead_letters must do that.
DELIVERY_LIMIT = {"x-delivery-limit": 10_000}
QUORUM = {"x-queue-type": "quorum"}
AT_LEAST_ONCE = {
    "x-dead-letter-exchange": "",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


@dataclass(frozen=True)
class Queues:
    """Names of the queues."""

    exchange: str
    main: str
    retry: str
    dead: str

    @classmethod
    def of(cls, config: EventsConfig) -> Queues:
        main = f"{config.events_exchange}.{config.service}"
        return cls(config.events_exchange, main, f"{main}.retry", f"{main}.dead")

    def declare(self, connection: Any) -> None:
        """Declare the queues and their bindings."""
        declare_exchange(connection, self.exchange)
        arguments = {
            self.dead: QUORUM | DELIVERY_LIMIT,
            self.main: QUORUM | DELIVERY_LIMIT | AT_LEAST_ONCE | {"x-dead-letter-routing-key": self.dead},
            self.retry: QUORUM | AT_LEAST_ONCE | {"x-dead-letter-routing-key": self.main},
        }
        with connection.channel() as channel:
            for name, own in arguments.items():
                channel.queue_declare(name, durable=True, auto_delete=False, arguments=own)
            channel.queue_bind(self.main, self.exchange, EVERYTHING)
