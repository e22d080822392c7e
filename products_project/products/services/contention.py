"""What the database says when a transaction cannot go on because of others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError
from psycopg import errors as postgresql

from products_project.products.errors import Busy

# The server has rolled the transaction back, whatever it had done.
LOST_TO_OTHERS = (
    postgresql.LockNotAvailable,
    postgresql.DeadlockDetected,
    postgresql.SerializationFailure,
    postgresql.QueryCanceled,
)


@contextmanager
def busy_if_locked() -> Iterator[None]:
    """Raise Busy where a lock was not to be had in time, or the statement took too long; stands around a transaction.

    Not where the connection broke: whether its COMMIT came through is unknown.
    """
    try:
        yield
    except OperationalError as error:
        if not is_contention(error.__cause__):
            raise
        raise Busy from error


def is_contention(cause: BaseException | None) -> bool:
    """Tell whether others are the reason, and nothing was changed."""
    if isinstance(cause, sqlite3.OperationalError):
        # The primary code is in the low byte: SQLITE_BUSY_SNAPSHOT and its like are busy too.
        return cause.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return isinstance(cause, LOST_TO_OTHERS)
