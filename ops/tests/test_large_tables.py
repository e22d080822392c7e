"""A large table's indexes and constraints are built while others write, and an interrupted build is completed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, models
from django.db.migrations.state import ModelState, ProjectState

from ops.database.large_tables import AddConstraintDeferred, AddIndexDeferred, DeferredParts

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = ModelState(
    "shop", "Large", [("id", models.BigAutoField(primary_key=True)), ("key", models.TextField(null=True))]
)
ADDED = (
    AddIndexDeferred("large", models.Index(fields=["key"], name="large_key")),
    AddConstraintDeferred("large", models.CheckConstraint(condition=~models.Q(key=""), name="large_key_full")),
    AddConstraintDeferred(
        "large",
        models.UniqueConstraint(fields=["key"], condition=models.Q(key__isnull=False), name="large_key_unique"),
    ),
)
PARTS = """
    SELECT relname, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname IN %s UNION ALL
    SELECT conname, convalidated FROM pg_constraint WHERE conname IN %s ORDER BY 1
"""
NAMES = ("large_key", "large_key_full", "large_key_unique")


@pytest.fixture
def added() -> Iterator[ProjectState]:
    """Yield the state after a migration that adds an index and two constraints to a table with rows."""
    before = ProjectState(models={("shop", "large"): LARGE})
    with connection.schema_editor() as editor:
        editor.create_model(before.apps.get_model("shop", "Large"))
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO shop_large (key) VALUES ('a'), ('b'), (NULL)")
    with connection.schema_editor() as editor:
        for operation in ADDED:
            after = before.clone()
            operation.state_forwards("shop", after)
            operation.database_forwards("shop", editor, before, after)
            before = after
    yield before
    with connection.schema_editor() as editor:
        editor.delete_model(before.apps.get_model("shop", "Large"))


def parts() -> dict[str, bool]:
    """Return which of them the database has, and whether each is valid."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            return dict.fromkeys(set(connection.introspection.get_constraints(cursor, "shop_large")) & set(NAMES), True)
        cursor.execute(PARTS.replace("IN %s", "= ANY(%s)"), [list(NAMES), list(NAMES)])
        return dict(cursor.fetchall())


def build(state: ProjectState) -> None:
    with connection.schema_editor(atomic=False) as editor:
        DeferredParts("shop", "Large").build(state.apps, editor)


def test_only_what_takes_no_time_is_done_at_once(added: ProjectState) -> None:
    assert parts() == ({"large_key_full": False} if connection.vendor == "postgresql" else dict.fromkeys(NAMES, True))


def test_the_rest_is_built_once_and_an_interrupted_build_is_done_again(added: ProjectState) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("CREATE INDEX large_key ON shop_large (key)")
            cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'large_key'::regclass")
            cursor.execute("SET lock_timeout = 1234")

    for _ in range(2):
        build(added)

    assert parts() == dict.fromkeys(NAMES, True)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("1234ms",)
            cursor.execute("RESET lock_timeout")
