"""The probe of where events go to and come from; the field `events_url` names it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from kombu import Connection

from events.config import EventsConfig
from ops.diagnosis.probe import NoAnswer, Probe
from ops.diagnosis.surroundings import TIMEOUT, answers, not_needed
from ops.outbound.broker_tls import broker_tls
from ops.outbound.session import PeerSession

EVENTS = "events.reachable"
METHOD_NOT_ALLOWED = 405  # the right address, which takes POST only


def probes(config: EventsConfig) -> Iterator[Probe]:
    """Yield the probe of EVENTS_URL."""
    if config.events_url is None:
        yield not_needed(EVENTS, "off: EVENTS_URL is unset")
        return
    ask: Any = answers(partial(ask_events, timeout=TIMEOUT))
    hint = "Start what it names, or correct it; meanwhile events wait in the outbox."
    yield Probe(EVENTS, ask, hint, variable="EVENTS_URL", is_optional=True)


def ask_events(config: EventsConfig, *, timeout: float) -> None:
    """Log in to RabbitMQ, or GET the URL with the service token; neither sends an event."""
    assert config.events_url is not None  # noqa: S101 - the caller has looked
    url = config.events_url.get_secret_value()
    if not url.startswith("http"):
        options = {"read_timeout": timeout, "write_timeout": timeout}
        with Connection(
            url, ssl=broker_tls(config, url), connect_timeout=timeout, transport_options=options
        ) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, reraise_as_library_errors=False)
        return
    token = {"Authorization": f"Bearer {config.service_token.get_secret_value()}"}
    with PeerSession(config) as session:
        status = session.get(url, headers=token, timeout=timeout).status_code
    if status >= 300 and status != METHOD_NOT_ALLOWED:
        raise NoAnswer(f"answers {status}")
