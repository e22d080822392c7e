"""Hash passwords by argon2 (RFC 9106), and let other requests compute meanwhile."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import hashers

from ops.turns import waiting


class Argon2(hashers.Argon2PasswordHasher):
    """Take 19 MiB for each hash (OWASP); Django's own 100 MiB for each login that runs would exceed a container's."""

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with waiting:  # the library computes without Python's lock
            encoded: str = super().encode(password, salt)
        return encoded

    def verify(self, password: str, encoded: str) -> bool:
        with waiting:
            is_right: bool = super().verify(password, encoded)
        return is_right


class PBKDF2(hashers.PBKDF2PasswordHasher):
    """Read the hashes of earlier releases; the next login replaces each."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with waiting:
            encoded: str = super().encode(password, salt, iterations)
        return encoded

    def harden_runtime(self, *_: Any) -> None:
        """Do without: the library's extra rounds would repeat a whole hash of the old kind."""
