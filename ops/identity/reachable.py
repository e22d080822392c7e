"""The probe of the issuer's keys; the field `jwt_keys` names it."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage

from ops.config.service import ServiceConfig
from ops.diagnosis.probe import NoAnswer, Probe, ok, warning
from ops.diagnosis.surroundings import not_needed
from ops.identity.public_keys import KeysUnavailable, read_keys

KEYS = "identity.keys"


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
