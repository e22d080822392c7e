"""An issuer of access tokens, with its keys."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

NAME = "https://id.shop.example"


@dataclass
class Issuer:
    """Sign tokens for one audience; `keys` are published, the last one signs."""

    audience: str
    head: ClassVar[dict[str, Any]] = {}  # more of the header
    keys: list[Any] = field(default_factory=lambda: [ECKey.generate_key("P-256", auto_kid=True)])

    def key_set(self) -> str:
        """Return the public keys (JWKS)."""
        return json.dumps(KeySet(self.keys).as_dict(private=False))

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Return the claims of a valid token; a claim of None is left out."""
        now = int(time.time())
        claims = {"iss": NAME, "aud": self.audience, "sub": "shop", "exp": now + 600, "nbf": now, "iat": now}
        return {name: value for name, value in (claims | changed).items() if value is not None}

    def token(self, *, key: Any = None, header: dict[str, Any] | None = None, **changed: Any) -> str:
        """Return a token; `header` and the keywords change what a valid one has."""
        key = key or self.keys[-1]
        alg = "RS256" if isinstance(key, RSAKey) else "ES256"
        given = {
            name: value for name, value in ({"alg": alg, "kid": key.kid} | self.head | (header or {})).items() if value
        }
        return jwt.encode(given, self.claims(**changed), key, algorithms=[given["alg"]])
