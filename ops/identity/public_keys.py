"""The issuer's public keys (JWKS, RFC 7517): cached, bounded, and read again for an unknown `kid` at a bounded rate."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import requests
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from ops.config.service import ServiceConfig
from ops.config.validators import MOST_KEY_SET_BYTES
from ops.identity.models import SigningKey
from ops.outbound.session import PeerSession
from ops.turns import waiting

MAX_AGE = 60.0  # seconds; a key that the issuer has withdrawn is accepted no longer than this
REFRESH_EVERY = 5.0  # seconds between two attempts to read the keys, however many unknown ones are named
TIMEOUT = 2.0  # seconds of one attempt
MOST_KEYS = 100

Key = RSAKey | ECKey | OKPKey  # never a shared secret
log = structlog.get_logger(__name__)


class KeysUnavailable(Exception):
    """The issuer's keys could not be read yet, so a token can be neither accepted nor refused."""


class PublicKeys:
    """The keys by their `kid`. All threads of a process share one instance.

    While the issuer does not answer, the keys read last stay valid. One thread reads; a thread with a known key does
    not wait for it.
    """

    def __init__(self, read: Callable[[], Mapping[str, Key]], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, Key] | None = None
        self._read_at = self._tried_at = float("-inf")

    def find(self, key_id: str) -> Key | None:
        """Return the key of this id, or None; raise KeysUnavailable if the keys were never read."""
        key = (self._keys or {}).get(key_id)
        now = self._clock()
        if (key is None or now - self._read_at >= MAX_AGE) and now - self._tried_at >= REFRESH_EVERY:
            self._refresh(patience=TIMEOUT if key is None else 0)
        if self._keys is None:
            raise KeysUnavailable
        return self._keys.get(key_id)

    def _refresh(self, *, patience: float) -> None:
        with waiting:
            if not self._lock.acquire(timeout=patience):
                return
        try:
            if self._clock() - self._tried_at < REFRESH_EVERY:  # another thread has read them meanwhile
                return
            try:
                self._keys = self._read()
                self._read_at = self._clock()
            except KeysUnavailable as error:
                log.warning("identity.keys_unavailable", reason=str(error))
            finally:
                self._tried_at = self._clock()
        finally:
            self._lock.release()


@cache
def public_keys() -> PublicKeys:
    """Return the keys of this process's issuer."""
    return PublicKeys(lambda: read_keys(settings.CONFIG))


def read_keys(config: ServiceConfig) -> Mapping[str, Key]:
    """Return the issuer's keys, now; raise KeysUnavailable."""
    try:
        if config.jwt_keys is None:  # the service is its own issuer
            newest = SigningKey.objects.order_by("-created_at").values_list("public", flat=True)[:MOST_KEYS]
            return parse_keys(list(map(json.loads, newest)))
        return parse_keys(json.loads(_fetch(config, config.jwt_keys))["keys"])
    except (DatabaseError, InterfaceError):
        raise KeysUnavailable("the database does not answer") from None
    except requests.RequestException as error:
        raise KeysUnavailable(type(error).__name__) from None
    except OSError as error:
        raise KeysUnavailable(error.strerror or type(error).__name__) from None
    except (ValueError, TypeError, LookupError, RecursionError):
        raise KeysUnavailable("is not a JSON Web Key Set") from None


def _fetch(config: ServiceConfig, address: str) -> bytes:
    if not address.startswith(("http://", "https://")):
        with Path(address).open("rb") as file:
            content = file.read(MOST_KEY_SET_BYTES + 1)
        if len(content) > MOST_KEY_SET_BYTES:  # it has grown since the start
            raise KeysUnavailable(f"has more than {MOST_KEY_SET_BYTES} bytes")
        return content
    with PeerSession(config, max_bytes=MOST_KEY_SET_BYTES) as session:
        answer = session.get(address, timeout=(TIMEOUT, TIMEOUT))
    if answer.status_code != requests.codes.ok:
        raise KeysUnavailable(f"answered {answer.status_code}")
    answered: bytes = answer.content
    return answered


def parse_keys(documents: list[Any]) -> Mapping[str, Key]:
    """Return the keys that can verify a signature. A key for another use or of an unknown kind is left out."""
    keys: dict[str, Key] = {}
    for document in documents[:MOST_KEYS]:
        try:
            key = JWKRegistry.import_key(document)
            key.check_use("sig")
        except (JoseError, ValueError, TypeError, LookupError):  # the last one: a curve that the library lacks
            continue
        if isinstance(key, Key) and key.kid:
            keys[key.kid] = key
    return keys
