"""Checks of migrations, called by the tests of each service."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter


def assert_models_have_their_migrations(label: str) -> None:
    """Fail if makemigrations would write a migration."""
    call_command("makemigrations", label, "--check", "--dry-run", verbosity=0)


def assert_every_migration_can_be_undone(label: str) -> None:
    """Undo the app's migrations one by one, and apply them again."""
    names = [name for app, name in MigrationLoader(connection).graph.nodes if app == label]
    before = table_names(label)
    for name in [*sorted(names, reverse=True)[1:], "zero"]:
        call_command("migrate", label, name, verbosity=0)
    assert not before & set(connection.introspection.table_names())
    call_command("migrate", label, verbosity=0)
    assert before <= set(connection.introspection.table_names())


def assert_every_migration_lets_the_release_before_go_on(
    label: str, *, harmless: Mapping[str, Collection[str]] | None = None
) -> None:
    """Fail on operations that break the running old version, such as a dropped column or a NOT NULL one.

    `harmless` names a migration's findings that are none: the linter reads the SQL, and not what it is about.
    """
    harmless = harmless or {}
    names = {name for app, name in MigrationLoader(connection).graph.nodes if app == label}
    assert set(harmless) <= names
    for excused, migrations in [((), names - set(harmless)), *((codes, {name}) for name, codes in harmless.items())]:
        linter = MigrationLinter(
            apps.get_app_config(label).path,
            include_apps=[label],
            ignore_name=names - migrations,
            exclude_migration_tests=excused,
            no_cache=True,
            quiet=["ok", "ignore"],
        )
        linter.lint_all_migrations()
        assert linter.nb_total > 0
        assert not linter.has_errors


def table_names(label: str) -> set[str]:
    """Return the tables of the app's models."""
    return {model._meta.db_table for model in apps.get_app_config(label).get_models()}
