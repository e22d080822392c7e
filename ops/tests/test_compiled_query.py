"""The most frequent statements are prepared in the sessions of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from ops import settings as shared
from ops.config.role import Role
from ops.database.compiled_query import prepared_cursor
from ops.tests.settings import PlainConfig

POOLED = {"DATABASE_URL": "postgres://me@pooler.internal/x", "DATABASE_DIRECT_URL": "postgres://me@db.internal/x"}
PREPARED = "SELECT statement FROM pg_prepared_statements"


@pytest.fixture
def database(db: None) -> Iterator[Any]:
    """Yield a connection to the tests' database, with the options of a worker if that is PostgreSQL."""
    database: Any = connection.copy(alias=uuid4().hex)
    if connection.vendor == "postgresql":
        config = PlainConfig.read({"DATABASE_URL": "postgres://me@db.internal/x"}).config
        assert config is not None
        database.settings_dict["CONN_MAX_AGE"] = 0
        database.settings_dict["OPTIONS"] = shared.databases(config, Role.WEB)["default"]["OPTIONS"]
    yield database
    database.close()
    if connection.vendor == "postgresql":
        database.close_pool()


def rows(cursor: Any, statement: str, *parameters: Any) -> list[Any]:
    cursor.execute(statement, parameters)
    found: list[Any] = cursor.fetchall()
    return found


def test_a_frequent_statement_runs_on_either_database(database: Any) -> None:
    with prepared_cursor(database) as cursor:
        assert rows(cursor, "SELECT 1 + %s", 1) == rows(cursor, "SELECT 1 + %s", 1) == [(2,)]


def test_a_session_prepares_a_frequent_statement_and_no_other_one(database: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's driver keeps statements by itself")
    with prepared_cursor(database) as cursor:
        for number in range(7):
            rows(cursor, "SELECT 1 + %s", number)
    with database.cursor() as cursor:
        rows(cursor, "SELECT 2 + %s", 1)
        assert rows(cursor, PREPARED) == [("SELECT 1 + $1",)]


def test_nothing_is_prepared_behind_a_pooler() -> None:
    config = PlainConfig.read(POOLED).config
    assert config is not None
    assert "prepare_threshold" not in shared.databases(config, Role.WEB)["default"]["OPTIONS"]
