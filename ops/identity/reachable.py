"""The probes of the issuer's keys and of this service's token; the fields `jwt_keys` and `service_key` name them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import requests
from django.core.checks import CheckMessage

from ops.config.service import ServiceConfig
from ops.diagnosis.probe import NoAnswer, Probe, ok, warning
from ops.diagnosis.surroundings import ANSWERS, PEER, TIMEOUT, extras, not_needed
from ops.identity.public_keys import KeysUnavailable, read_keys
from ops.identity.service_token import ServiceToken
from ops.outbound.session import PeerSession

KEYS, TOKEN = "identity.keys", "identity.token"


def probes(config: ServiceConfig) -> Iterator[Probe]:
    """Yield the probe of the keys that access tokens are checked against."""
    if config.jwt_keys is None:
        yield not_needed(KEYS, "the service is its own issuer")
        return
    hint = "Correct JWT_KEYS, or start the issuer; meanwhile the keys read last stay valid."
    yield Probe(KEYS, read, hint, variable="JWT_KEYS", is_optional=True)


def read(config: ServiceConfig) -> list[CheckMessage]:
    """Read the keys as the service does."""
    try:
        found = len(read_keys(config))
    except KeysUnavailable as error:
        raise NoAnswer(str(error)) from None
    if not found:
        return [warning("the set is empty: every access token is refused", "Look at JWT_KEYS.")]
    return [ok(f"keys: {found}")]


def token_probes(config: ServiceConfig) -> Iterator[Probe]:
    """Yield a probe of each service that this one calls: a field's `token` names it, and a path for services."""
    called = {name: extra["token"] for name, extra in extras(config) if "token" in extra}
    hint = "Add the public key of SERVICE_KEY to SERVICE_KEYS of that service, and compare the clocks."
    for name, (receiver, path) in called.items():
        ask = partial(_show_token, url=f"{getattr(config, name)}{path}", receiver=receiver)
        yield Probe(TOKEN, ask, hint, PEER, variable="SERVICE_KEY")
    if not called:
        yield not_needed(TOKEN, "it calls no other service")


def _show_token(config: ServiceConfig, *, url: str, receiver: str) -> list[CheckMessage]:
    status = get_with_token(config, url, receiver=receiver, timeout=TIMEOUT)
    if status not in (requests.codes.ok, requests.codes.not_found):
        raise NoAnswer(f"{receiver} answers {status}")
    return [ok(ANSWERS)]


def get_with_token(config: ServiceConfig, url: str, *, receiver: str, timeout: float) -> int:
    """GET a URL of another service as this service; return the status."""
    headers = {"Authorization": f"Bearer {ServiceToken(config, receiver)()}"}
    with PeerSession(config) as session:
        return session.get(url, headers=headers, timeout=timeout).status_code
