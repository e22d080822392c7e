"""`make check` names a migration that would lock a large table."""

from __future__ import annotations

import pytest
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from ops.database.large_tables import AddConstraintDeferred, AddIndexDeferred
from tests.lint_migrations import locking_operations

INDEX = models.Index(fields=["key"], name="large_key")
UNIQUE = models.UniqueConstraint(fields=["key"], condition=models.Q(key__isnull=False), name="large_key_unique")


def linted(*operations: Operation) -> list[str]:
    before = ProjectState()
    before.add_model(
        ModelState("shop", "Large", [("id", models.BigAutoField(primary_key=True)), ("key", models.TextField())])
    )
    more = type("Migration", (migrations.Migration,), {"operations": operations})
    return list(locking_operations(more("0002_more", "shop"), before))


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddIndex("large", INDEX),
        migrations.AddConstraint("large", UNIQUE),
        migrations.AddField("large", "code", models.TextField(null=True, unique=True)),
        migrations.AddField("large", "code", models.TextField(null=True, db_index=True)),
        migrations.AlterField("large", "key", models.BigIntegerField()),
    ],
)
def test_what_reads_a_whole_table_is_named(operation: Operation) -> None:
    assert linted(operation) == [operation.describe()]


def test_what_takes_a_moment_or_a_new_table_passes() -> None:
    quick = (
        migrations.AddField("large", "code", models.TextField(null=True)),
        migrations.AlterField("large", "key", models.TextField(choices=[("a", "A")], verbose_name="the key")),
        AddIndexDeferred("large", INDEX),
        AddConstraintDeferred("large", UNIQUE),
    )
    new = migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True)), ("key", models.TextField())])

    assert linted(*quick) == []
    assert linted(new, migrations.AddIndex("new", INDEX)) == []
