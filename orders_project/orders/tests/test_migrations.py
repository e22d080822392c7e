"""Migrations of orders: complete, reversible, and harmless to the release that still runs."""

from __future__ import annotations

import pytest

from ops.tests import migrations


@pytest.mark.django_db
def test_the_models_have_their_migrations() -> None:
    migrations.assert_models_have_their_migrations("orders")


@pytest.mark.django_db(transaction=True)
def test_every_migration_can_be_undone() -> None:
    migrations.assert_every_migration_can_be_undone("orders")


@pytest.mark.django_db(transaction=True)
def test_every_migration_lets_the_release_before_go_on() -> None:
    # Of what it makes unique or copies (SQLite), the release before knows the old columns only, and they stay as they
    # were: test_constraints.py lets it insert.
    migrations.assert_every_migration_lets_the_release_before_go_on(
        "orders", harmless={"0003_idempotency_and_saga": ("ADD_UNIQUE", "NOT_NULL")}
    )
