"""An index of PostgreSQL for FoldedContains."""

from __future__ import annotations

from typing import Any

from django.db import ProgrammingError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from ops.database.folding import POSTGRESQL
from ops.database.large_tables import build_index

MISSING = (
    "search needs PostgreSQL's extension pg_trgm, which this role may not create. The owner of the database may: "
    "run CREATE EXTENSION pg_trgm there, then migrate again"
)
WITHOUT_ICU = (
    "search folds case by the collation und-x-icu, which this PostgreSQL lacks: it was built without ICU. "
    "Take a server with ICU, as the official images and packages are, then migrate again"
)


class TrigramIndex:
    """Create and drop the index of one column while the table is in use; do nothing on SQLite. It is not atomic."""

    def __init__(self, *, name: str, table: str, column: str) -> None:
        self._name, self._table, self._column = name, table, column

    def create(self, apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor != "postgresql":
            return
        with editor.connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
            has_trigrams = cursor.fetchone() is not None
            cursor.execute("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'")
            if cursor.fetchone() is None:
                raise ProgrammingError(WITHOUT_ICU)
        if not has_trigrams:
            try:
                editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            except ProgrammingError as error:  # InsufficientPrivilege
                raise ProgrammingError(MISSING) from error
        index = f"gin (({POSTGRESQL.format(self._column)}) gin_trgm_ops)"
        statement = f"CREATE INDEX CONCURRENTLY {self._name} ON {self._table} USING {index}"
        build_index(editor, self._name, statement)
        editor.execute(f"ANALYZE {self._table}")  # else a search for a rare word may read the table in order instead

    def drop(self, apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor == "postgresql":
            editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self._name}")
