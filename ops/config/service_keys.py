"""The keys of services as JSON Web Keys (RFC 7517) for ES256: SERVICE_KEY signs, SERVICE_KEYS verify.

The member `service` of a key names the one service that may sign with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

CURVE = "P-256"
LONGEST_NAME = 100


def check(service: str, variable: str, given: SecretStr | None, others: Mapping[str, Any]) -> None:
    """Refuse a SERVICE_KEY or SERVICE_KEYS of `service` that does not fit the variables read before it."""
    text = None if given is None else given.get_secret_value()
    if text is None and others.get("django_env") == "production" and others.get("service_token") is None:
        raise ValueError("must be set in production: make_service_key makes it")
    if variable == "service_key":
        if text is not None and service_of(read_private_key(text)) != service:
            raise ValueError(f"is the key of another service: its member service must be {service}")
        return
    known = None if text is None else read_key_set(text)
    own = others.get("service_key")
    if "service_key" in others and (own is None) is not (known is None):  # else it is faulty itself
        raise ValueError("must be set together with SERVICE_KEY, or not at all")
    if own is not None and known is not None:
        key = read_private_key(own.get_secret_value())
        found = known.get(str(key.kid))
        if found is None or (found.thumbprint(), service_of(found)) != (key.thumbprint(), service):
            raise ValueError("lacks the public key of SERVICE_KEY, so every service would refuse its tokens")


def deprecation(values: Mapping[str, Any]) -> str | None:
    """Return the next step of an environment that still has SERVICE_TOKEN."""
    step = "Unset it in the services that call, such as orders; when no call has it any more, in those that are called."
    if "service_key" not in values:
        step = "Give every service a SERVICE_KEY, and all of them the same SERVICE_KEYS; make_service_key makes them."
    return step if "service_token" in values else None


def service_of(key: ECKey) -> str:
    """Return the one service that signs with the key."""
    return str(key.as_dict(private=False)["service"])


def read_private_key(text: str) -> ECKey:
    """Return the key of SERVICE_KEY; raise ValueError."""
    key = _key(_parsed(text))
    if not key.is_private:
        raise ValueError("is a public key: it needs the private one, with the member d")
    return key


def read_key_set(text: str) -> dict[str, ECKey]:
    """Return the keys of SERVICE_KEYS by their `kid`; raise ValueError."""
    document = _parsed(text)
    documents = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(documents, list) or not documents:
        raise ValueError('is not a JSON Web Key Set: {"keys": […]}')
    keys: dict[str, ECKey] = {}
    for number, member in enumerate(documents, 1):
        try:
            key = _key(member)
        except ValueError as error:
            raise ValueError(f"key {number} {error}") from None
        if key.is_private:
            raise ValueError(f"key {number} is private (member d): make a new pair, and give the public key here")
        if keys.setdefault(str(key.kid), key) is not key:
            raise ValueError(f"key {number} has the kid of another key")
    return keys


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # the text of the error may quote the key
        raise ValueError("is not JSON") from None


def _key(document: Any) -> ECKey:
    from joserfc.errors import JoseError  # noqa: PLC0415 - slow to load, and most commands need no key
    from joserfc.jwk import ECKey  # noqa: PLC0415 - likewise

    try:
        if not isinstance(document, dict):
            raise TypeError
        key = ECKey.import_key(document)
        key.check_use("sig")
        key.check_alg("ES256")
        key.check_key_op("sign" if key.is_private else "verify")
    except (JoseError, ValueError, TypeError, LookupError):
        raise ValueError(f"is not a JSON Web Key that signs on the curve {CURVE}") from None
    if key.curve_name != CURVE:
        raise ValueError(f"is not on the curve {CURVE}")
    for name in ("kid", "service"):
        value = document.get(name)
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= LONGEST_NAME:
            raise ValueError(f"needs the member {name}, a text of 1 to {LONGEST_NAME} characters")
    return key
