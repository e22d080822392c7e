"""The tokens of services as development has them, without configuration."""

from __future__ import annotations

import json
import time
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from ops.identity.service_token import ALGORITHM, LIFETIME, TYPE, development_key

ORDERS = "orders-service"


def service_token(
    receiver: str, service: str = ORDERS, *, key: Any = None, header: dict[str, Any] | None = None, **changed: Any
) -> str:
    """Return a token of a service; `header` and the keywords change what a valid one has, and None leaves it out."""
    key = key or development_key(service)
    now = int(time.time())
    claims = {"iss": service, "sub": service, "aud": receiver, "iat": now, "exp": now + LIFETIME}
    head = {"alg": ALGORITHM, "kid": str(key.kid), "typ": TYPE} | (header or {})
    return jwt.encode(_given(head), _given(claims | changed), key)


def key_pair(service: str) -> dict[str, str]:
    """Return SERVICE_KEY and SERVICE_KEYS of a service that is called by none and calls none."""
    key = ECKey.generate_key("P-256", auto_kid=True)
    public, private = (key.as_dict(private=half) | {"service": service} for half in (False, True))
    return {"SERVICE_KEY": json.dumps(private), "SERVICE_KEYS": json.dumps({"keys": [public]})}


def bearer(receiver: str, service: str = ORDERS) -> dict[str, str]:
    """Return the header of a request that a service sends."""
    return {"Authorization": f"Bearer {service_token(receiver, service)}"}


def claims_of(authorization: str, service: str = ORDERS) -> dict[str, Any]:
    """Return the claims that the service has signed; an empty object if it has not."""
    try:
        token = jwt.decode(authorization.removeprefix("Bearer "), development_key(service), algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        return {}
    return token.claims if token.header["typ"] == TYPE else {}


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
