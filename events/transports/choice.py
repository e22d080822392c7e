"""EVENTS_URL chooses the transport."""

from __future__ import annotations

from events.transports.contract import Transport
from ops.config.service import ServiceConfig


def open_transport(config: ServiceConfig) -> Transport | None:
    """Return what EVENTS_URL names; None if it is unset. Nothing is connected yet."""
    if config.events_url is None:
        return None
    # Imported here, as a service with one transport needs no other.
    if config.events_url.get_secret_value().startswith("http"):
        from events.transports.http import HttpTransport  # noqa: PLC0415

        return HttpTransport(config)
    from events.transports.amqp import AmqpTransport  # noqa: PLC0415

    return AmqpTransport(config)
