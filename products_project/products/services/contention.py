"""Turn a lock that was not to be had into an answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError

from ops.api.problems import Busy
from ops.database.errors import is_contention


@contextmanager
def busy_if_locked() -> Iterator[None]:
    """Raise Busy where others held a lock for too long, or the statement took too long; stands around a transaction.

    Not after a broken connection, as the fate of its COMMIT is unknown.
    """
    try:
        yield
    except OperationalError as error:
        if not is_contention(error):
            raise
        raise Busy from error
