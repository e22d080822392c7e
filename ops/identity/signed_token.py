"""Judge the signature and the claims of a JWT (RFC 7519, RFC 8725): an access token's, and a service token's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from ops.identity.credentials import TokenRefused
from ops.identity.public_keys import Key
from ops.identity.service_token import TYPE as OF_A_SERVICE

Found = TypeVar("Found", bound=Key)

LONGEST_TOKEN = 8192  # characters


def signatures(*algorithms: str) -> jws.JWSRegistry:
    """Return what accepts these signatures alone.

    Another header parameter is ignored (RFC 7515, section 4), so a token never says where its key is.
    """
    return jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)


def verified_payload(
    text: str, find: Callable[[str], Found | None], accepted: jws.JWSRegistry, *, is_service: bool
) -> tuple[Found, bytes]:
    """Return the key and the payload of a token whose signature is right; raise TokenRefused, or what `find` raises.

    The header says whether it is a service's token, so that neither kind is ever taken for the other.
    """
    if len(text) > LONGEST_TOKEN or not text.isascii():
        raise TokenRefused("malformed")
    try:
        signed = jws.extract_compact(text.encode())
        header = signed.headers()
        accepted.check_header(header)
        accepted.get_alg(header["alg"])
        key_id = str(header.get("kid") or "")
    except (JoseError, ValueError, TypeError):  # the last one: the library expects an object as the header
        raise TokenRefused("malformed") from None
    if (header.get("typ") == OF_A_SERVICE) is not is_service:
        raise TokenRefused("wrong_type")
    key = find(key_id) if key_id else None
    if key is None:
        raise TokenRefused("unknown_key")
    try:
        if not jws.validate_compact(signed, key, registry=accepted):
            raise TokenRefused("wrong_signature")
    except JoseError as error:
        raise TokenRefused(error.error) from None
    return key, signed.payload


def read_claims(payload: bytes, expected: JWTClaimsRegistry) -> dict[str, Any]:
    """Return the claims if they are as expected; raise TokenRefused."""
    try:
        claims: dict[str, Any] = json.loads(payload)
        expected.validate(claims)
    except (ValueError, TypeError, AttributeError, RecursionError):  # not JSON, not an object, or nested absurdly deep
        raise TokenRefused("malformed") from None
    except JoseError as error:
        raise TokenRefused(error.error) from None
    return claims
