"""The base of commands that look into the queues of RabbitMQ."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from events.transports import broker
from ops.cli.command import FAILED, OpsCommand, Result


class BrokerCommand(OpsCommand):
    """Run `with_broker`, which may raise the broker's errors; without a broker nothing is left to do."""

    def with_broker(self, **options: Any) -> Result:
        """Do the work of the command."""
        raise NotImplementedError

    def perform(self, **options: Any) -> Result:
        url = settings.CONFIG.events_url
        if url is None or not url.get_secret_value().startswith("amqp"):
            return Result("EVENTS_URL is not an amqp:// URL, so there are no queues.")
        try:
            return self.with_broker(**options)
        except (*broker.UNAVAILABLE, broker.PublishingEnded) as error:
            host = broker.host_of(settings.CONFIG)
            raise CommandError(f"{host}: {broker.reason(error)}.", returncode=FAILED) from error
