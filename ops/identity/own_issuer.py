"""The service as its own issuer, where JWT_ISSUER names no other: its clients, their tokens, and the rotation of keys.

A new key is published before it signs. So every process knows it before it meets the first token of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from joserfc import jwe, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey

from ops.identity.access_token import audience, issuer
from ops.identity.models import Client, SigningKey
from ops.identity.public_keys import MAX_AGE, MOST_KEYS

PUBLISHED_FIRST = timedelta(seconds=1.5 * MAX_AGE)
LONGEST_LIFETIME = timedelta(days=30)
SEAL = {"alg": "dir", "enc": "A256GCM"}


class NotIssued(Exception):
    """No token can be issued; the text says why."""


class NotRotated(Exception):
    """No key can be made; the text says why."""


@dataclass(frozen=True)
class Rotation:
    """The key that a rotation made, or None; the time from which it signs, and how many keys it deleted."""

    key_id: str | None
    signs_from: datetime
    deleted: int = 0


@transaction.atomic
def save_client(*, name: str, scopes: Iterable[str], dry_run: bool = False) -> str:
    """Give the client exactly these scopes, and create it if need be; return the outcome."""
    wanted = " ".join(sorted(set(scopes)))
    client, created = Client.objects.select_for_update().get_or_create(name=name, defaults={"scopes": wanted})
    is_changed = not created and client.scopes != wanted
    if is_changed:
        client.scopes = wanted
        client.save(update_fields=["scopes"])
    transaction.set_rollback(dry_run)
    return "created" if created else "updated" if is_changed else "unchanged"


def issue_token(*, name: str, scopes: Iterable[str] | None, lifetime: timedelta) -> str:
    """Return a token of the client, by default with all its scopes; raise NotIssued."""
    client = Client.objects.filter(name=name).first()
    if client is None:
        raise NotIssued(f"client {name} does not exist: create_client makes it")
    granted = client.scopes.split() if scopes is None else sorted(set(scopes))
    if foreign := set(granted) - set(client.scopes.split()):
        raise NotIssued(f"{name} lacks the scope {', '.join(sorted(foreign))}")
    if not granted:
        raise NotIssued(f"{name} has no scope")
    now = timezone.now()
    key = _signing_key(now)
    claims = {
        "iss": issuer(settings.CONFIG),
        "aud": audience(settings.CONFIG),
        "sub": name,
        "client_id": name,
        "scope": " ".join(granted),
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        "jti": str(uuid4()),
    }
    return jwt.encode({"alg": "ES256", "kid": str(key.kid), "typ": "at+jwt"}, claims, key)


@transaction.atomic
def rotate_keys(*, revoke: bool = False, dry_run: bool = False) -> Rotation:
    """Make a new key, unless the newest is still so new that it does not sign; delete those whose tokens have expired.

    A newest key that SECRET_KEY does not open counts as absent. With `revoke` every other key is deleted, so that all
    tokens so far are refused. The new key signs at once if no other can. Raise NotRotated if too many keys are live.
    """
    now = timezone.now()
    newest = SigningKey.objects.order_by("-created_at").first()
    is_new = newest is not None and newest.created_at > now - PUBLISHED_FIRST
    if newest and is_new and not revoke and _unseal(newest.sealed, settings.SECRET_KEY):
        return Rotation(None, newest.created_at + PUBLISHED_FIRST)
    old = SigningKey.objects.all() if revoke else _expired_keys(now)
    deleted, _ = old.delete()
    live = list(SigningKey.objects.all())
    if len(live) >= MOST_KEYS:
        raise NotRotated(f"{len(live)} keys may have valid tokens, and no more are read: --revoke deletes them")
    made = ECKey.generate_key("P-256", auto_kid=True)
    SigningKey.objects.create(
        key_id=str(made.kid), public=json.dumps(made.as_dict(private=False)), sealed=_seal(made), created_at=now
    )
    transaction.set_rollback(dry_run)
    signs_at_once = all(_unseal(key.sealed, *_secrets()) is None for key in live)
    return Rotation(str(made.kid), now if signs_at_once else now + PUBLISHED_FIRST, deleted)


def _expired_keys(now: datetime) -> QuerySet[SigningKey]:
    """Return the keys that signed their last token more than a token's longest life ago: a later one has signed since.

    One that cannot be opened signs nothing, so the key before it may still sign.
    """
    ended = SigningKey.objects.filter(created_at__lte=now - PUBLISHED_FIRST - LONGEST_LIFETIME)
    for key in ended.order_by("-created_at"):
        if _unseal(key.sealed, *_secrets()) is not None:
            return SigningKey.objects.filter(created_at__lt=key.created_at)
    return SigningKey.objects.none()


def _signing_key(now: datetime) -> ECKey:
    """Return the newest key that every process knows, or the first one; raise NotIssued."""
    keys = list(SigningKey.objects.order_by("-created_at"))
    known = [key for key in keys if key.created_at <= now - PUBLISHED_FIRST]
    for key in [*known, *reversed(keys[: len(keys) - len(known)])]:
        if (private := _unseal(key.sealed, *_secrets())) is not None:
            return private
    why = "no key exists yet" if not keys else "no key can be read under SECRET_KEY or SECRET_KEY_FALLBACKS"
    raise NotIssued(f"{why}: rotate_keys makes one")


def _seal(key: ECKey) -> str:
    return jwe.encrypt_compact(SEAL, json.dumps(key.as_dict(private=True)), _secret(settings.SECRET_KEY))


def _secrets() -> list[str | bytes]:
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def _unseal(sealed: str, *secrets: str | bytes) -> ECKey | None:
    """Return the private key; None if none of the secrets opens it."""
    for secret in secrets:
        try:
            plain = jwe.decrypt_compact(sealed, _secret(secret)).plaintext
        except (JoseError, ValueError):  # the second one: it is not a JWE at all
            continue
        return ECKey.import_key(json.loads(plain or b""))
    return None


def _secret(secret_key: str | bytes) -> OctKey:
    return OctKey.import_key(salted_hmac("ops.identity", "", secret=secret_key, algorithm="sha256").digest())
