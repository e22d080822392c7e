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
