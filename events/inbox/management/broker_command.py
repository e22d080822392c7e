"""The base of commands that look into the queues of RabbitMQ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from events.transports import broker
from ops.cli.command import FAILED, OpsCommand, Result

UNAVAILABLE: tuple[type[Exception], ...] = (*broker.UNAVAILABLE, broker.PublishingEnded)


class BrokerCommand(OpsCommand):
    """Run `with_broker`, which may raise the broker's errors; without a broker nothing is left to do."""

    with_broker: Callable[..., Result]

    def perform(self, **options: Any) -> Result:
        url = settings.CONFIG.events_url
        if url is None or not url.get_secret_value().startswith("amqp"):
            return Result("EVENTS_URL is not an amqp:// URL, so there are no queues.")
        try:
            return self.with_broker(**options)
        except UNAVAILABLE as error:
            host = broker.host_of(settings.CONFIG)
            raise CommandError(f"{host}: {broker.reason(error)}.", returncode=FAILED) from error
