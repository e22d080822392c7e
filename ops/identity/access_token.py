"""Judge an access token: a JWT of the issuer, for this service (RFC 7519, RFC 8725, RFC 9068)."""

from __future__ import annotations

import json

from django.conf import settings
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from ops.config.service import ServiceConfig
from ops.identity.credentials import AccessToken
from ops.identity.public_keys import public_keys
from ops.telemetry import metrics

# Signatures of a private key only: a public key can never be taken for a shared secret. ES256 signs our own tokens.
ALGORITHMS = ("ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "Ed25519")
LONGEST_TOKEN = 8192  # characters
LONGEST_SUBJECT = 255  # as in OpenID Connect
LEEWAY = 10  # seconds that the clocks of the issuer and of this machine may differ

# Another header parameter is ignored (RFC 7515, section 4), so a token never says where its key is.
_SIGNATURES = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


class TokenRefused(Exception):
    """The token is not valid; `reason` is a constant name for the log and the metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def issuer(config: ServiceConfig) -> str:
    """Return the `iss` of the tokens that are accepted; without JWT_ISSUER the service issues them itself."""
    return config.jwt_issuer or config.service


def audience(config: ServiceConfig) -> str:
    """Return the `aud` that a token must name."""
    return config.jwt_audience or config.service


def read_access_token(text: str) -> AccessToken:
    """Return the facts of the token; raise TokenRefused, or KeysUnavailable of `public_keys`."""
    try:
        token = _verified(text)
    except TokenRefused as refusal:
        metrics.access_tokens_total.labels(refusal.reason).inc()
        raise
    metrics.access_tokens_total.labels("accepted").inc()
    return token


def _verified(text: str) -> AccessToken:
    if len(text) > LONGEST_TOKEN or not text.isascii():
        raise TokenRefused("malformed")
    try:
        signed = jws.extract_compact(text.encode())
        _SIGNATURES.check_header(signed.headers())
        _SIGNATURES.get_alg(signed.headers()["alg"])
        key_id = signed.headers().get("kid")
    except (JoseError, ValueError, TypeError):  # the last one: the library expects an object as the header
        raise TokenRefused("malformed") from None
    key = public_keys().find(key_id) if key_id else None
    if key is None:
        raise TokenRefused("unknown_key")
    try:
        if not jws.validate_compact(signed, key, registry=_SIGNATURES):
            raise TokenRefused("wrong_signature")
        return _claims(signed.payload)
    except JoseError as error:
        raise TokenRefused(error.error) from None


def _claims(payload: bytes) -> AccessToken:
    """Return the facts of a payload whose signature is right; raise JoseError or TokenRefused."""
    config = settings.CONFIG
    expected = JWTClaimsRegistry(
        leeway=LEEWAY,
        iss={"essential": True, "value": issuer(config)},
        aud={"essential": True, "value": audience(config)},
        sub={"essential": True},
        exp={"essential": True},
    )
    try:
        claims = json.loads(payload)
        expected.validate(claims)
        subject, scopes = claims["sub"], claims.get("scope", "")
        is_plain = len(subject) <= LONGEST_SUBJECT and subject.isprintable() and isinstance(scopes, str)
    except (ValueError, TypeError, AttributeError, RecursionError):  # not JSON, not an object, or nested absurdly deep
        raise TokenRefused("malformed") from None
    if not is_plain:
        raise TokenRefused("invalid_claim")
    return AccessToken(subject, frozenset(scopes.split()))
