"""Tell by its code why the database refused: it cannot serve now, or others are in the way.

https://www.postgresql.org/docs/18/errcodes-appendix.html, https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import sqlite3

import psycopg

# Connection, resources, system: classes. Then read-only, and a server that ends sessions or starts.
UNAVAILABLE_CLASSES = {"08", "53", "58"}
READ_ONLY = "25006"
UNAVAILABLE_STATES = {READ_ONLY, "57P01", "57P02", "57P03", "57P04", "57P05"}
UNAVAILABLE_SQLITE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN}
# Lock not available, deadlock, serialization failure, statement time-out: the transaction was rolled back.
CONTENTION_STATES = {"55P03", "40P01", "40001", "57014"}
CONTENTION_SQLITE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_unavailable(error: BaseException) -> bool:
    """Tell whether the database is away, read-only or full, as an error of Django or of its driver says."""
    cause = _driver_error(error)
    if isinstance(cause, sqlite3.Error):
        return _sqlite_code(cause) in UNAVAILABLE_SQLITE
    if isinstance(cause, psycopg.Error):
        state = cause.sqlstate
        if state is None:  # no server said so: it was not reached, or its answer did not come
            return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
        return state[:2] in UNAVAILABLE_CLASSES or state in UNAVAILABLE_STATES
    return False


def is_contention(error: BaseException) -> bool:
    """Tell whether other transactions are the reason, and nothing was changed."""
    cause = _driver_error(error)
    if isinstance(cause, sqlite3.Error):
        return _sqlite_code(cause) in CONTENTION_SQLITE
    return isinstance(cause, psycopg.Error) and cause.sqlstate in CONTENTION_STATES


def _driver_error(error: BaseException) -> BaseException:
    """Return the driver's error, which Django's own errors wrap."""
    return error.__cause__ or error


def _sqlite_code(error: sqlite3.Error) -> int:
    """Return the primary code, which is the low byte: SQLITE_BUSY_SNAPSHOT and its like are busy too."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
