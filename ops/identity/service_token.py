"""The token that a service shows another one: a JWT for one receiver and one minute, signed by the caller's own key.

Without configuration, in development, every process can compute the key of each service.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

from ops.config.service import ServiceConfig
from ops.config.service_keys import read_private_key, service_of

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

TYPE = "service+jwt"  # not an access token's (RFC 8725, section 3.11)
ALGORITHM = "ES256"
LIFETIME = 60  # seconds
DEVELOPMENT = "development-only:"  # begins the `kid` of such a key


class ServiceToken:
    """The token of this service for one other service, made anew after half of its life.

    All threads of a process share an instance. Two of them may make a token at the same time; both tokens are valid.
    While SERVICE_TOKEN is set, that is the token.
    """

    def __init__(self, config: ServiceConfig, receiver: str, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._receiver = receiver
        self._clock = clock
        self._made = ("", float("-inf"))

    def __call__(self) -> str:
        """Return a token that is valid for half a minute or more."""
        if self._config.service_token is not None:
            return self._config.service_token.get_secret_value()
        token, made_at = self._made
        now = self._clock()
        if not 0 <= now - made_at < LIFETIME / 2:  # below 0 after the clock was set back
            given = self._config.service_key
            key = read_private_key(given.get_secret_value()) if given else development_key(self._config.service)
            token = sign(key, self._receiver, int(now))
            self._made = (token, now)
        return token


def sign(key: ECKey, receiver: str, now: int) -> str:
    """Return a new token of the key's service."""
    from joserfc import jwt  # noqa: PLC0415 - see credentials.py

    service = service_of(key)
    claims = {"iss": service, "sub": service, "aud": receiver, "iat": now, "exp": now + LIFETIME}
    return jwt.encode({"alg": ALGORITHM, "kid": str(key.kid), "typ": TYPE}, claims, key)


def development_key(service: str) -> ECKey:
    """Return the key of a service without configuration. Every process can compute it; production accepts none."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see credentials.py
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - likewise
    from joserfc.jwk import ECKey  # noqa: PLC0415 - likewise

    name = f"{DEVELOPMENT}{service}"
    secret = int.from_bytes(sha256(name.encode()).digest()[1:])  # less than the order of the curve
    private = ec.derive_private_key(secret, ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ECKey.import_key(ECKey.import_key(private).as_dict(private=True) | {"kid": name, "service": service})
