"""PostgreSQL's tools must exist and be new enough, and get the password secretly. SQLite needs none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from django.db import connection

from ops.management.commands import backup, restore
from ops.tests.run_command import run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unbounded")]

PATH = os.environ["PATH"]  # before a test takes it away: the tools that are used elsewhere too


def stand_in(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder on PATH, empty at first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_a_missing_tool_is_named_with_its_package(tools: Path, tmp_path: Path) -> None:
    code, _, errors = run(backup.Command(), "--to", str(tmp_path))

    if connection.vendor == "sqlite":
        assert code == 0, errors
        return
    assert code == 2
    assert errors.startswith("pg_dump is not on PATH: install postgresql-client-")
    assert list(tmp_path.iterdir()) == [tools]


def test_a_tool_that_is_older_than_the_server_is_refused(tools: Path, tmp_path: Path) -> None:
    stand_in(tools, "pg_dump", "echo 'pg_dump (PostgreSQL) 9.6.24'")

    code, _, errors = run(backup.Command(), "--to", str(tmp_path))

    if connection.vendor == "sqlite":
        assert code == 0, errors
        return
    assert code == 2
    assert errors.startswith(f"{tools}/pg_dump is of PostgreSQL 9, the server of ")


def test_a_password_is_never_an_argument(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "canary")
    seen = tmp_path / "seen"
    for name in ("pg_dump", "pg_restore", "psql"):
        real = shutil.which(name, path=PATH)
        stand_in(tools, name, f'echo "{name} $@" >> {seen}\nexec {real} "$@"')

    code, _, errors = run(backup.Command(), "--to", str(tmp_path), "--verify")
    assert code == 0, errors
    (path,) = tmp_path.glob("*.backup")
    restored, _, refusal = run(restore.Command(), str(path), "--yes")

    assert restored == 0, refusal
    called = seen.read_text() if seen.exists() else ""
    assert [f"{name} --no-password" in called for name in ("pg_dump", "pg_restore", "psql")] == [
        connection.vendor == "postgresql"
    ] * 3
    assert "canary" not in called + errors + refusal
