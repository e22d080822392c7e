"""Migrations of invoices: complete, reversible, and harmless to the release that still runs."""

from __future__ import annotations

import pytest

from ops.tests import migrations

APPS = ("invoices",)


@pytest.mark.parametrize("app", APPS)
@pytest.mark.django_db
def test_the_models_have_their_migrations(app: str) -> None:
    migrations.assert_models_have_their_migrations(app)


@pytest.mark.parametrize("app", APPS)
@pytest.mark.django_db(transaction=True)
def test_every_migration_can_be_undone(app: str) -> None:
    migrations.assert_every_migration_can_be_undone(app)


@pytest.mark.parametrize("app", APPS)
@pytest.mark.django_db(transaction=True)
def test_every_migration_lets_the_release_before_go_on(app: str) -> None:
    migrations.assert_every_migration_lets_the_release_before_go_on(app)
