"""The facts of a credential that was accepted, apart from the library that judges it.

joserfc and cryptography take 11 MB of a process, so it loads them with its first token.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AccessToken:
    """The facts of a valid token; never the token itself, which an error report could show."""

    subject: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Caller:
    """The service that a valid token names; None for SERVICE_TOKEN, which names none."""

    service: str | None


class TokenRefused(Exception):
    """The token is not valid; `reason` is a constant name for the log and the metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
