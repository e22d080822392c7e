"""backup and restore return the same data and refuse invalid files, on either database."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from ops.backups.files import read_backup, write_backup
from ops.management.commands import backup, restore
from ops.tests.run_command import run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unbounded")]


SPOIL_AND_MEND = {
    "sqlite": (
        [
            "CREATE TABLE spoilt (n integer CHECK (n > 0))",
            "PRAGMA ignore_check_constraints = ON",
            "INSERT INTO spoilt VALUES (0)",
            "PRAGMA ignore_check_constraints = OFF",
        ],
        ["DROP TABLE spoilt"],
    ),
    "postgresql": (  # the function is not found with pg_restore's search_path
        [
            "CREATE FUNCTION is_known() RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM auth_permission)'",
            "CREATE TABLE spoilt (n integer CHECK (is_known()))",
            "INSERT INTO spoilt VALUES (0)",
        ],
        ["DROP TABLE spoilt", "DROP FUNCTION is_known()"],
    ),
}


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    """Return a backup of a database with one user, Ada."""
    User.objects.create_user("ada", password="canary-password")
    code, _, errors = run(backup.Command(), "--to", str(tmp_path))
    assert code == 0, errors
    (path,) = tmp_path.glob("*.backup")
    return path


def rewrite(path: Path, **changes: Any) -> Path:
    """Write the backup again, valid, with another manifest."""
    written = read_backup(path, path.name)
    chunks = list(written.chunks(lambda done: None))
    other = path.with_name("other.backup")
    write_backup(other, replace(written.manifest, **changes), chunks, lambda done: None)
    return other


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def users() -> list[str]:
    return sorted(User.objects.values_list("username", flat=True))


def test_it_says_that_keys_of_access_tokens_come_back(tmp_path: Path) -> None:
    run("rotate_keys")
    run(backup.Command(), "--to", str(tmp_path))
    (path,) = tmp_path.glob("*.backup")

    output = run(restore.Command(), str(path), "--yes")[1]

    assert "if one was revoked since, run `rotate_keys --revoke`." in output


def test_what_was_there_comes_back_and_what_came_since_goes(taken: Path) -> None:
    User.objects.create_user("grace")
    execute("CREATE TABLE of_a_later_release (id integer)")

    code, output, errors = run(restore.Command(), str(taken), "--yes")

    assert code == 0, errors
    assert output.startswith("Restored ")
    assert "rotate_keys" not in output
    assert " in place of 2, as they were at 20" in output
    assert users() == ["ada"]
    assert User.objects.create_user("next").pk > User.objects.get(username="ada").pk
    assert "of_a_later_release" not in connection.introspection.table_names()
    assert Permission.objects.exists()


def test_it_says_what_it_wrote(taken: Path, tmp_path: Path) -> None:
    taken.unlink()

    _, output, _ = run(backup.Command(), "--to", str(tmp_path), "--verify", "--json")

    document = json.loads(output)
    (path,) = tmp_path.glob("*.backup")
    manifest = read_backup(path, path.name).manifest
    assert document["file"] == str(path)
    assert document["verified"] is True
    assert document["sha256"] == manifest.sha256
    assert document["counts"] == {"tables": len(manifest.tables), "rows": manifest.rows, "bytes": manifest.size}
    assert manifest.vendor == connection.vendor
    assert next(table.rows for name, table in manifest.tables.items() if name.endswith("auth_user")) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_dry_run_changes_nothing(taken: Path) -> None:
    User.objects.create_user("grace")

    code, output, _ = run(restore.Command(), str(taken), "--dry-run")

    assert code == 0
    assert output.startswith("Would restore ")
    assert output.endswith(" Nothing was changed.\n")
    assert users() == ["ada", "grace"]


def test_a_database_that_is_not_empty_is_replaced_with_yes_only(taken: Path) -> None:
    User.objects.create_user("grace")

    code, _, errors = run(restore.Command(), str(taken))

    assert code == 2
    assert errors.startswith("This replaces 2 rows of plain-service by ")
    assert users() == ["ada", "grace"]


def test_a_database_that_holds_only_what_migrate_brings_needs_no_yes(taken: Path) -> None:
    User.objects.all().delete()

    code, _, errors = run(restore.Command(), str(taken))

    assert code == 0, errors
    assert users() == ["ada"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"service": "other-service"}, "This is a backup of other-service, not of plain-service."),
        ({"vendor": None}, "This is a backup of "),
        ({"migrations": ("auth.0001_initial", "auth.9999_later")}, "does not know auth.9999_later."),
    ],
)
def test_a_backup_that_does_not_belong_here_is_refused(taken: Path, changes: dict[str, Any], said: str) -> None:
    if "vendor" in changes:
        changes = {"vendor": "sqlite" if connection.vendor == "postgresql" else "postgresql"}
    path = rewrite(taken, **changes)
    User.objects.create_user("grace")

    code, _, errors = run(restore.Command(), str(path), "--yes")

    assert code == 1
    assert said in errors
    assert users() == ["ada", "grace"]


def test_a_damaged_file_is_refused_before_anything_is_touched(taken: Path) -> None:
    content = bytearray(taken.read_bytes())
    content[len(content) // 2] ^= 1
    taken.write_bytes(content)
    User.objects.create_user("grace")

    code, _, errors = run(restore.Command(), str(taken), "--yes")

    assert (code, errors) == (1, f"{taken} is damaged: its checksum is not the one in its manifest.\n")
    assert users() == ["ada", "grace"]


def test_a_dump_that_the_database_refuses_changes_nothing(taken: Path) -> None:
    written = read_backup(taken, taken.name)
    other = taken.with_name("other.backup")
    dump = b"".join(written.chunks(lambda done: None))
    write_backup(other, written.manifest, [dump[: len(dump) // 2]], lambda done: None)
    User.objects.create_user("grace")

    code, _, errors = run(restore.Command(), str(other), "--yes")

    assert code == 1
    assert errors.count("\n") == 1
    assert users() == ["ada", "grace"]


def test_after_an_older_schema_it_says_to_migrate(taken: Path) -> None:
    older = rewrite(taken, migrations=("auth.0001_initial",))

    code, output, _ = run(restore.Command(), str(older), "--dry-run")

    assert code == 0
    assert "Then run `manage.py migrate`: " in output


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    code, _, errors = run(restore.Command(), str(tmp_path / "gone"))

    assert (code, errors) == (2, f"{tmp_path / 'gone'} cannot be read: No such file or directory.\n")


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    code, _, errors = run(backup.Command(), "--to", str(tmp_path / "file"))

    assert (code, errors) == (2, f"{tmp_path / 'file'} is not a folder.\n")


def test_a_folder_that_takes_no_file_is_named() -> None:
    code, _, errors = run(backup.Command(), "--to", "/proc")

    assert code == 1
    assert errors.startswith("/proc: ")


def test_a_database_without_a_schema_is_not_backed_up(tmp_path: Path) -> None:
    recorder = MigrationRecorder(connection)
    applied = list(recorder.applied_migrations())
    recorder.flush()

    code, _, errors = run(backup.Command(), "--to", str(tmp_path))

    for app, name in applied:
        recorder.record_applied(app, name)
    assert code == 1
    assert "Has `manage.py migrate` run?" in errors
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_restored_is_not_backed_up(tmp_path: Path) -> None:
    """The reason for --verify: the dump succeeds but cannot be restored."""
    spoil, mend = SPOIL_AND_MEND[connection.vendor]
    execute(*spoil)

    code, _, errors = run(backup.Command(), "--to", str(tmp_path), "--verify")

    execute(*mend)
    assert code == 1
    assert errors.startswith("The backup cannot be restored, so it was deleted: ")
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
