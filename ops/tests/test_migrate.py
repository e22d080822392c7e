"""migrate runs once at a time, bounds its waits, and keeps Django's options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from ops.database.locks import command_lock
from ops.management.commands import migrate
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def another_run() -> Iterator[None]:
    """Hold the lock of a running migrate on another connection, as another process would."""
    held, done = Event(), Event()

    def hold() -> None:
        with command_lock("migrate"):
            held.set()
            done.wait(30)
        connection.close()

    thread = Thread(target=hold)
    thread.start()
    assert held.wait(10)
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture
def on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a file, as SQLite's test database is in memory, which other processes cannot migrate."""
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "deep" / "shop.sqlite3"))
        (tmp_path / "deep").mkdir()


@pytest.mark.usefixtures("on_disk")
def test_while_another_run_is_at_it_this_one_waits_and_then_ends_with_3() -> None:
    with another_run():
        code, _, errors = run(migrate.Command(), "--wait", "0.3", "--verbosity", "0")

    assert code == 3
    assert re.match(r"Another migrate is running: .+, since \d{4}-.+Z; nothing was changed\.", errors)


@pytest.mark.usefixtures("on_disk")
def test_what_changes_nothing_does_not_wait() -> None:
    with another_run():
        call_command("migrate", "--plan", "--wait", "0", stdout=StringIO())
        call_command("migrate", "--check", "--wait", "0", verbosity=0)


@pytest.mark.usefixtures("on_disk")
def test_the_lock_is_free_again_after_a_run() -> None:
    call_command("migrate", "--wait", "0", verbosity=0)
    call_command("migrate", "--wait", "0", verbosity=0)


def test_it_takes_djangos_own_options() -> None:
    call_command("migrate", "sessions", "zero", verbosity=0)
    assert "django_session" not in connection.introspection.table_names()

    call_command("migrate", "sessions", "0001", "--fake-initial", "--no-input", verbosity=0)
    assert "django_session" in connection.introspection.table_names()


def test_a_failing_database_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the disk\n\tis full")

    monkeypatch.setattr(MigrationExecutor, "migrate", fail)

    assert run(migrate.Command(), "--verbosity", "0") == (1, "", "The database refused: the disk is full\n")


def test_a_statement_waits_for_a_table_no_longer_than_it_may() -> None:
    if connection.vendor != "postgresql":  # SQLite has one lock, bounded by its `timeout`
        assert connection.settings_dict["OPTIONS"]["timeout"] == 20
        return
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE django_session IN ACCESS SHARE MODE")

        code, _, errors = run(
            migrate.Command(), "sessions", "zero", "--lock-timeout", "0.2", "--wait", "0", "--verbosity", "0"
        )

        cursor.execute("ROLLBACK")
    other.close()
    assert code == 1
    assert "held a table for more than 0.2 s" in errors
    assert "django_session" in connection.introspection.table_names()


def test_it_tries_again_after_the_others_have_had_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "postgresql":
        return
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE django_session IN ACCESS SHARE MODE")
        monkeypatch.setattr(migrate.Command, "pause", lambda *_: cursor.execute("ROLLBACK"))

        code, _, _ = run(migrate.Command(), "sessions", "zero", "--lock-timeout", "0.2", "--verbosity", "0")

    other.close()
    assert code == 0
    assert "django_session" not in connection.introspection.table_names()


def test_its_own_bounds_do_not_outlast_it() -> None:
    if connection.vendor != "postgresql":
        assert not hasattr(connection, "pool")
        return
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        before = cursor.fetchone()

    call_command("migrate", "--lock-timeout", "7", verbosity=0)

    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == before
