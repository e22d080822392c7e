"""Case, folded with one meaning on every database.

It is folded by upper(lower(text)), which also joins `ß` with `SS` and the sigmas. Accents count as written. PostgreSQL
folds by the Unicode rules of ICU, whatever the locale of its database is; SQLite calls Python.
"""

from __future__ import annotations

SQLITE_FUNCTION = "argos_fold"
POSTGRESQL = 'UPPER(LOWER({} COLLATE "und-x-icu"))'  # also the expression of an index


def fold(text: str | None) -> str | None:
    """Return the text without differences of case."""
    return None if text is None else text.lower().upper()
