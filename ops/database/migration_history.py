"""Whose a database is, judged by the migrations that were applied to it."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

# Where other tools keep their history.
HISTORIES_OF_OTHERS = {
    "__EFMigrationsHistory": "Entity Framework",
    "_prisma_migrations": "Prisma",
    "alembic_version": "Alembic",
    "flyway_schema_history": "Flyway",
    "knex_migrations": "Knex",
    "schema_migrations": "Rails or another tool",
}


def foreign_history(connection: BaseDatabaseWrapper) -> str | None:
    """Return what of a database's migration history is of another service or project; None if it is this one's.

    A release that was rolled back may leave applications behind that this one does not know. It is not
    refused for them, as long as all that this service itself has applied fits.
    """
    loader = MigrationLoader(connection)
    package = settings.ROOT_URLCONF.partition(".")[0]
    own = {config.label for config in apps.get_app_configs() if config.name.startswith(f"{package}.")}
    applied = set(loader.applied_migrations)
    unknown = {label for label, _ in applied} - loader.migrated_apps
    if unknown and not _is_begun(own, applied, set(loader.disk_migrations)):
        return f"the migrations of {', '.join(sorted(unknown))}"
    if not applied:
        tables = HISTORIES_OF_OTHERS.keys() & set(connection.introspection.table_names())
        return ", ".join(f"{table} ({HISTORIES_OF_OTHERS[table]})" for table in sorted(tables)) or None
    return None


def _is_begun(own: set[str], applied: set[tuple[str, str]], known: set[tuple[str, str]]) -> bool:
    """Tell whether this service was here: its migrations are applied, and those of another of its name are not."""
    of_own = {migration for migration in applied if migration[0] in own}
    missing = {migration for migration in known if migration[0] in own} - applied
    return bool(of_own & known) and not (of_own - known and missing)
