"""Choose the transport by EVENTS_URL."""

from __future__ import annotations

from events.config import EventsConfig
from events.transports.contract import Transport


def open_transport(config: EventsConfig) -> Transport | None:
    """Return the transport of EVENTS_URL, not connected yet; None if it is unset."""
    if config.events_url is None:
        return None
    # Imported here, as a service needs only one transport.
    if config.events_url.get_secret_value().startswith("http"):
        from events.transports.http import HttpTransport  # noqa: PLC0415

        return HttpTransport(config)
    from events.transports.amqp import AmqpTransport  # noqa: PLC0415

    return AmqpTransport(config)
