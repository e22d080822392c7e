"""Migrations of orders: complete, reversible, and harmless to the release that still runs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from ops.tests import migrations
from ops.tests.run_command import run
from orders_project.orders.models import Order

APPS = ("orders",)
KEY = {"idempotency_key": "k", "payload_hash": "0"}


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


@pytest.mark.django_db(transaction=True)
def test_the_way_back_says_what_to_do_about_a_key_that_two_clients_share() -> None:
    for owner in ("shop", None):
        Order.objects.create(product_id=1, quantity=1, status="confirmed", owner=owner, **KEY)

    code, _, errors = run("migrate", "orders", "0010")
    assert (code, "1 idempotency keys belong to orders of several clients" in errors) == (1, True)
    assert "run `purge_idempotency_keys`" in errors

    Order.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert run("purge_idempotency_keys")[0] == 0
    assert run("migrate", "orders", "0010")[0] == 0
    assert run("migrate", "orders")[0] == 0
