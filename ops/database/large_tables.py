"""Operations of migrations that let PostgreSQL's writers use a large table meanwhile; on SQLite they are Django's own.

An atomic migration has AddIndexDeferred and AddConstraintDeferred beside its columns. A later one that is not atomic
has RunPython(DeferredParts(…).build), which may be interrupted and run again. `make check` requires them.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import AddConstraint, AddIndex
from django.db.models import CheckConstraint

STATE = """
    SELECT current_setting('lock_timeout'),
        (SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s))
"""


class AddIndexDeferred(AddIndex):
    """Add the index to the state; on PostgreSQL DeferredParts creates it."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddConstraintDeferred(AddConstraint):
    """Add a CHECK for new rows, or a unique index to the state; on PostgreSQL DeferredParts does the rest."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        elif isinstance(self.constraint, CheckConstraint):
            model = to_state.apps.get_model(app_label, self.model_name)
            schema_editor.execute(f"{self.constraint.create_sql(model, schema_editor)} NOT VALID", params=None)


class DeferredParts:
    """Build the parts of a table that the operations above have deferred."""

    def __init__(self, app_label: str, model_name: str) -> None:
        self._names = app_label, model_name

    def build(self, apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        """Build the indexes that PostgreSQL lacks, and validate the constraints, while rows are written."""
        if editor.connection.vendor != "postgresql":
            return
        model = apps.get_model(*self._names)
        options = model._meta  # noqa: SLF001 - Django documents it
        for index in options.indexes:
            build_index(editor, index.name, str(index.create_sql(model, editor, concurrently=True)))
        for constraint in options.constraints:
            if isinstance(constraint, CheckConstraint):
                table, name = map(editor.quote_name, (options.db_table, constraint.name))
                editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
            else:
                statement = str(constraint.create_sql(model, editor))
                build_index(editor, constraint.name, statement.replace(" INDEX ", " INDEX CONCURRENTLY ", 1))


def build_index(editor: BaseDatabaseSchemaEditor, name: str, statement: str) -> None:
    """Create an index unless a valid one has its name; an interrupted build has left one that is not.

    This waits for old transactions as long as they take, as no writer waits for it.
    """
    quoted = editor.quote_name(name)
    with editor.connection.cursor() as cursor:
        cursor.execute(STATE, [quoted])
        lock_timeout, is_valid = cursor.fetchone()
        if is_valid:
            return
        assert " CONCURRENTLY " in statement, statement  # noqa: S101 - a UNIQUE without a condition locks its table
        cursor.execute("SET lock_timeout = 0")
        try:
            editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {quoted}")
            editor.execute(statement, params=None)
        finally:
            if not editor.connection.in_atomic_block:  # there a rollback resets it, and a failed one takes no statement
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [lock_timeout])
