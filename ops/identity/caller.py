"""Recognize the service that calls, by its token."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from functools import cache

from django.conf import settings
from joserfc.jwk import ECKey
from joserfc.jwt import JWTClaimsRegistry

from ops.config.service import ServiceConfig
from ops.config.service_keys import read_key_set, service_of
from ops.identity.credentials import Caller, TokenRefused
from ops.identity.service_token import ALGORITHM, DEVELOPMENT, LIFETIME, development_key
from ops.identity.signed_token import read_claims, signatures, verified_payload
from ops.telemetry import metrics

LEEWAY = 30  # seconds that the clocks of two services may differ
MOST_REMEMBERED = 1000  # tokens; a process of a caller has one at a time

_SIGNATURES = signatures(ALGORITHM)


class Callers:
    """Judge tokens, and remember each valid one until it expires: to verify a signature takes 0.1 ms.

    All threads of a process share an instance. A forged token is never remembered, so it cannot displace a valid one.
    """

    def __init__(self, config: ServiceConfig, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._clock = clock
        self._keys = {} if config.service_keys is None else read_key_set(config.service_keys.get_secret_value())
        self._remembered: dict[str, tuple[Caller, float]] = {}

    def recognize(self, token: str) -> Caller:
        """Return the caller; raise TokenRefused."""
        try:
            caller = self._remembered_caller(token) or self._sharing(token) or self._verified(token)
        except TokenRefused as refusal:
            metrics.service_tokens_total.labels(refusal.reason).inc()
            raise
        metrics.service_tokens_total.labels("accepted" if caller.service else "shared").inc()
        return caller

    def _remembered_caller(self, token: str) -> Caller | None:
        caller, expires = self._remembered.get(token, (None, 0.0))
        return caller if self._clock() < expires else None

    def _sharing(self, token: str) -> Caller | None:
        """Return a caller if it shows SERVICE_TOKEN, compared in constant time."""
        shared = self._config.service_token
        is_shared = shared and hmac.compare_digest(token.encode(errors="replace"), shared.get_secret_value().encode())
        return Caller(None) if is_shared else None

    def _verified(self, token: str) -> Caller:
        key, payload = verified_payload(token, self._find, _SIGNATURES, is_service=True)
        now, service = self._clock(), service_of(key)
        expected = JWTClaimsRegistry(
            now=int(now),
            leeway=LEEWAY,
            iss={"essential": True, "value": service},  # a key speaks for its own service alone
            sub={"essential": True, "value": service},
            aud={"essential": True, "value": self._config.service},
            iat={"essential": True},
            exp={"essential": True},
        )
        expires = read_claims(payload, expected)["exp"]
        if expires > now + LIFETIME + LEEWAY:
            raise TokenRefused("lives_too_long")
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        caller, _ = self._remembered[token] = (Caller(service), expires)
        return caller

    def _find(self, key_id: str) -> ECKey | None:
        if self._config.service_keys is None and not self._config.is_production and key_id.startswith(DEVELOPMENT):
            return development_key(key_id.removeprefix(DEVELOPMENT))
        return self._keys.get(key_id)


@cache
def callers() -> Callers:
    """Return this process's instance."""
    return Callers(settings.CONFIG)
