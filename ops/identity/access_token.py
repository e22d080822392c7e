"""Judge an access token: a JWT of the issuer, for this service (RFC 7519, RFC 8725, RFC 9068)."""

from __future__ import annotations

from django.conf import settings
from joserfc.jwt import JWTClaimsRegistry

from ops.config.service import ServiceConfig
from ops.identity.credentials import AccessToken, TokenRefused
from ops.identity.public_keys import public_keys
from ops.identity.signed_token import read_claims, signatures, verified_payload
from ops.telemetry import metrics

# Signatures of a private key only: a public key can never be taken for a shared secret. ES256 signs our own tokens.
ALGORITHMS = ("ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "Ed25519")
LONGEST_SUBJECT = 255  # as in OpenID Connect
LEEWAY = 10  # seconds that the clocks of the issuer and of this machine may differ

_SIGNATURES = signatures(*ALGORITHMS)


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
    _, payload = verified_payload(text, public_keys().find, _SIGNATURES, is_service=False)
    config = settings.CONFIG
    expected = JWTClaimsRegistry(
        leeway=LEEWAY,
        iss={"essential": True, "value": issuer(config)},
        aud={"essential": True, "value": audience(config)},
        sub={"essential": True},
        exp={"essential": True},
    )
    claims = read_claims(payload, expected)
    subject, scopes = claims["sub"], claims.get("scope", "")
    if len(subject) > LONGEST_SUBJECT or not subject.isprintable() or not isinstance(scopes, str):
        raise TokenRefused("invalid_claim")
    return AccessToken(subject, frozenset(scopes.split()))
