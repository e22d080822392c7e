"""Django's engine for PostgreSQL: measured and traced, with a pool that never gives out a connection that has ended.

https://docs.djangoproject.com/en/5.2/ref/databases/#subclassing-the-built-in-database-backends
"""

from __future__ import annotations

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django_prometheus.db.common import DatabaseWrapperMixin

from ops.database.postgresql.cursor import Cursor
from ops.telemetry.queries import observe_query


class DatabaseWrapper(DatabaseWrapperMixin, base.DatabaseWrapper):  # type: ignore[misc] # the library has no types
    """Discard each pooled connection that the server has closed; the pool opens others in its background threads.

    The pool's own check pauses a second after the second such connection, so that a restarted database costs a 500.
    It also asks the server before each use; to look whether the server has said anything costs no round trip.
    """

    create_cursor = base.DatabaseWrapper.create_cursor  # the mixin's own would count each statement a second time

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(observe_query)

    def make_cursor(self, cursor: Any) -> Cursor:
        return Cursor(cursor, self)

    def ensure_connection(self) -> None:
        """Replace a connection that has ended between two statements, such as while a peer answered."""
        current = self.connection
        if current is not None and self.pool is not None and not self.in_atomic_block and has_ended(current):
            self.close()
        super().ensure_connection()

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] = super().get_new_connection(conn_params)
        if (pool := self.pool) is not None:
            for _ in range(pool.max_size):
                if not has_ended(connection):
                    break
                connection.close()
                pool.putconn(connection)
                connection = super().get_new_connection(conn_params)
        return connection


def has_ended(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether an idle connection is closed: its server says that it ends, and otherwise nothing."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
