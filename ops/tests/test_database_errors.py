"""A database's refusal is told by its code: it cannot serve now, others are in the way, or it is our fault."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest
from django.db import InternalError, OperationalError, ProgrammingError
from psycopg import errors
from psycopg_pool import PoolTimeout

from ops.api.problems import Busy, DatabaseUnavailable, database_problem
from ops.database.errors import is_contention, is_unavailable


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (errors.ReadOnlySqlTransaction(), DatabaseUnavailable),
        (errors.DiskFull(), DatabaseUnavailable),
        (errors.TooManyConnections(), DatabaseUnavailable),
        (errors.AdminShutdown(), DatabaseUnavailable),
        (errors.CannotConnectNow(), DatabaseUnavailable),
        (errors.IdleSessionTimeout(), DatabaseUnavailable),
        (errors.IoError(), DatabaseUnavailable),
        (errors.ConnectionFailure(), DatabaseUnavailable),
        (PoolTimeout("no connection"), DatabaseUnavailable),
        (psycopg.InterfaceError("the connection is closed"), DatabaseUnavailable),
        (errors.LockNotAvailable(), Busy),
        (errors.DeadlockDetected(), Busy),
        (errors.SerializationFailure(), Busy),
        (errors.QueryCanceled(), Busy),
        (errors.UndefinedTable(), None),
        (errors.UniqueViolation(), None),
    ],
)
def test_postgresql_is_judged_by_its_sqlstate(cause: psycopg.Error, expected: type[Exception] | None) -> None:
    error = OperationalError("refused")
    error.__cause__ = cause

    assert type(database_problem(error)) is (expected or type(None))


def sqlite_error(preparation: str, statement: str) -> sqlite3.Error:
    """Return the error of the statement."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(preparation)
    with pytest.raises(sqlite3.Error) as caught:
        connection.execute(statement)
    connection.close()
    return caught.value


def test_sqlite_is_judged_by_its_result_code(tmp_path: Path) -> None:
    read_only = sqlite_error("CREATE TABLE t (x); PRAGMA query_only = 1", "INSERT INTO t VALUES (1)")
    full = sqlite_error("CREATE TABLE t (x); PRAGMA max_page_count = 2", "INSERT INTO t VALUES (zeroblob(100000))")
    mistaken = sqlite_error("", "SELECT * FROM nowhere")

    assert [is_unavailable(error) for error in (read_only, full, mistaken)] == [True, True, False]
    assert not any(map(is_contention, (read_only, full, mistaken)))


@pytest.mark.parametrize("error", [ProgrammingError("a typing error"), InternalError("a bug"), ValueError("x"), None])
def test_a_fault_of_ours_stays_one(error: Exception | None) -> None:
    assert database_problem(error) is None
