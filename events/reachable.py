"""The probe of where events go to and come from; the field `events_url` names it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.core.checks import CheckMessage

from events.config import EventsConfig
from events.transports.asking import ask_broker
from ops.diagnosis.probe import NoAnswer, Probe, ok
from ops.diagnosis.surroundings import ANSWERS, TIMEOUT, not_needed
from ops.identity.reachable import get_with_token

EVENTS = "events.reachable"
METHOD_NOT_ALLOWED = 405  # the right address, which takes POST only


def probes(config: EventsConfig) -> Iterator[Probe]:
    """Yield the probe of EVENTS_URL."""
    if config.events_url is None:
        yield not_needed(EVENTS, "off: EVENTS_URL is unset")
        return
    ask: Any = partial(ask_events, timeout=TIMEOUT)  # of this subclass of ServiceConfig
    hint = "Start what it names, or correct it; meanwhile events wait in the outbox."
    yield Probe(EVENTS, ask, hint, variable="EVENTS_URL", is_optional=True)


def ask_events(config: EventsConfig, *, timeout: float) -> list[CheckMessage]:
    """Ask RabbitMQ as this service's processes use it, or GET the URL with this service's token; send no event."""
    assert config.events_url is not None  # noqa: S101 - the caller has looked
    url = config.events_url.get_secret_value()
    if not url.startswith("http"):
        return [ask_broker(config, url, timeout)]
    status = get_with_token(config, url, receiver=config.events_receiver, timeout=timeout)
    if status >= 300 and status != METHOD_NOT_ALLOWED:
        raise NoAnswer(f"answers {status}")
    return [ok(ANSWERS)]
