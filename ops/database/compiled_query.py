"""For the statements of almost every request: a query of the ORM that is built once, and a cursor that prepares it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

from ops.telemetry import tracing


class CompiledQuery:
    """A `values_list` whose parameters come with each run: to build it takes longer than the database needs.

    `build` returns the query with any values in place of the parameters.
    """

    def __init__(self, build: Callable[[], QuerySet[Any, Any]]) -> None:
        self._build = build

    @cached_property
    def _compiled(self) -> tuple[str, Any, Any]:
        compiler = self._build().query.get_compiler(connection=connection)
        statement, _ = compiler.as_sql()
        return statement, compiler, compiler.get_converters([column for column, *_ in compiler.select])

    def first(self, *parameters: Any) -> Sequence[Any] | None:
        """Return the first row, None where there is none."""
        statement, compiler, converters = self._compiled
        with prepared_cursor(connection) as cursor:
            cursor.execute(statement, parameters)
            row: Sequence[Any] | None = cursor.fetchone()
        if row and converters:
            row = next(compiler.apply_converters([row], converters))
        return row


def prepared_cursor(database: Any) -> CursorWrapper:
    """Return a cursor whose statement each session of PostgreSQL parses and plans once, unless it is a pooler's.

    Django's own cursors write the parameters into the statement, so PostgreSQL meets a new one each time. SQLite's
    driver keeps the statements of each connection by itself.
    """
    if database.vendor != "postgresql" or tracing.is_stock:  # the library traces the connection's own cursors alone
        return database.cursor()  # type: ignore[no-any-return]
    import psycopg  # noqa: PLC0415 - SQLite does without it

    database.ensure_connection()
    wrap = database.make_debug_cursor if database.queries_logged else database.make_cursor
    return wrap(psycopg.Cursor(database.connection))  # type: ignore[no-any-return]
