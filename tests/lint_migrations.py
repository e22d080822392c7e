"""Name each migration that would lock a large table while PostgreSQL reads all of it.

DJANGO_SETTINGS_MODULE names the service. SQL and Python within a migration are left to the reader.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.db.migrations import AddConstraint, AddField, AddIndex, AlterField, CreateModel, Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from ops.database.large_tables import AddConstraintDeferred, AddIndexDeferred
from tests.processes import ROOT


def locking_operations(migration: Migration, before: ProjectState) -> Iterator[str]:
    """Yield the operations that read an existing table as a whole while they lock it."""
    new = {operation.name_lower for operation in migration.operations if isinstance(operation, CreateModel)}
    for operation in migration.operations:
        if getattr(operation, "model_name_lower", None) in new:
            continue
        match operation:
            case AddIndexDeferred() | AddConstraintDeferred():
                continue
            case AddIndex() | AddConstraint():
                yield operation.describe()
            case AddField(field=field) if field.unique or getattr(field, "db_index", False):  # the stubs lack it
                yield operation.describe()
            case AlterField(field=field):
                old = before.models[migration.app_label, operation.model_name_lower].get_field(operation.name)
                if _column(old) != _column(field):
                    yield operation.describe()


def _column(field: Any) -> tuple[str, object, dict[str, Any]]:
    """Return what the database knows of a field."""
    _, path, arguments, options = field.deconstruct()
    return path, arguments, {name: value for name, value in options.items() if name not in field.non_db_attrs}


def main() -> None:
    django.setup()
    graph = MigrationLoader(None).graph
    folders = {config.label: Path(config.path) for config in apps.get_app_configs()}
    # The libraries' migrations are not ours, and .venv is within the root.
    own = {label for label, at in folders.items() if at.is_relative_to(ROOT) and not at.is_relative_to(sys.prefix)}
    found = [
        f"{app}.{name} locks a table that may be large: {operation}. See ops/database/large_tables.py."
        for app, name in sorted(graph.nodes)
        if app in own
        for operation in locking_operations(graph.nodes[app, name], graph.make_state((app, name), at_end=False))
    ]
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
