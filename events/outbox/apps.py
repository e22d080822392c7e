"""Django's hook into the outbox."""

from __future__ import annotations

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """Register the backlog gauges of a service with an outbox."""

    name = "events.outbox"
    label = "outbox"

    def ready(self) -> None:
        from events.outbox import backlog  # noqa: PLC0415 - only once the settings are loaded

        backlog.register()
