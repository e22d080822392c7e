"""Migrations of orders: complete, reversible, and harmless to the release that still runs."""

from __future__ import annotations

import pytest

from ops.tests import migrations

APPS = ("orders",)


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
    # Of what it makes unique or copies (SQLite), the release before knows the old columns only, and they stay as they
    # were: test_constraints.py lets it insert.
    # It finds the renamed column under its old name too: test_recover_after.py reads and writes it.
    # It makes a key unique among all clients, and 0009 among those of one owner; it inserts no owner.
    orders = {
        "0003_idempotency_and_saga": ("ADD_UNIQUE", "NOT_NULL"),
        "0004_recover_after": ("RENAME_COLUMN",),
        "0009_order_owner": ("ADD_UNIQUE",),
    }
    harmless = orders if app == "orders" else {}
    migrations.assert_every_migration_lets_the_release_before_go_on(app, harmless=harmless)
