"""A query of the ORM that is built once and run often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from ops.database.prepared_cursor import prepared_cursor


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
