"""A cursor for the statements that run with every request."""

from __future__ import annotations

from typing import Any

from django.db.backends.utils import CursorWrapper


def prepared_cursor(connection: Any) -> CursorWrapper:
    """Return a cursor whose statement each session of PostgreSQL parses and plans once, unless it is a pooler's.

    Django's own cursors write the parameters into the statement, so PostgreSQL meets a new one each time. SQLite's
    driver keeps the statements of each connection by itself.
    """
    if connection.vendor != "postgresql":
        return connection.cursor()  # type: ignore[no-any-return]
    import psycopg  # noqa: PLC0415 - SQLite does without it

    connection.ensure_connection()
    return connection.make_cursor(psycopg.Cursor(connection.connection))  # type: ignore[no-any-return]
