"""django-prometheus' metrics of each query, from one cursor class a database instead of one a query.

The library makes a class for each cursor and looks its series up for each query, half of what a short query takes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db.backends.sqlite3.base import DatabaseWrapper
from django_prometheus.db import common, errors_total, execute_many_total, execute_total, query_duration_seconds


@cache
def measured(cursor_class: type[Any], alias: str, vendor: str) -> type[Any]:
    """Return a cursor class that counts and times what it executes, in the library's metrics."""
    executed, executed_many = execute_total.labels(alias, vendor), execute_many_total.labels(alias, vendor)
    duration = query_duration_seconds.labels(alias, vendor)

    class MeasuredCursor(cursor_class):  # type: ignore[misc] # whatever the database's own is
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            executed.inc()
            started = time.perf_counter()
            try:
                return super().execute(*args, **kwargs)
            except Exception as error:
                errors_total.labels(alias, vendor, type(error).__name__).inc()
                raise
            finally:
                duration.observe(time.perf_counter() - started)

        def executemany(self, query: Any, parameters: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
            executed.inc(len(parameters))
            executed_many.inc(len(parameters))
            started = time.perf_counter()
            try:
                return super().executemany(query, parameters, *args, **kwargs)
            except Exception as error:
                errors_total.labels(alias, vendor, type(error).__name__).inc()
                raise
            finally:
                duration.observe(time.perf_counter() - started)

    return MeasuredCursor


def _begin(database: DatabaseWrapper) -> None:
    """Begin a transaction on SQLite without a cursor that is measured: PostgreSQL's BEGIN is no query either."""
    with database.wrap_database_errors:
        database.connection.execute(f"BEGIN {database.transaction_mode or ''}")  # type: ignore[attr-defined] # unknown to its types


def install() -> None:
    """Have the library's database engines use these cursors, whether they are imported yet or not."""
    DatabaseWrapper._start_transaction_under_autocommit = _begin  # type: ignore[attr-defined] # noqa: SLF001 - Django has no public name
    common.ExportingCursorWrapper = measured
    if engine := sys.modules.get("django_prometheus.db.backends.postgresql.base"):
        engine.ExportingCursorWrapper = measured  # type: ignore[attr-defined] # as it imports it
