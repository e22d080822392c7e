"""Django's engine for SQLite; django-prometheus counts its connections, `ops.telemetry.queries` its statements."""

from __future__ import annotations

from typing import Any

from django.db.backends.sqlite3 import base
from django_prometheus.db.common import DatabaseWrapperMixin

from ops.database.folding import SQLITE_FUNCTION, fold
from ops.telemetry.queries import observe_query


class DatabaseWrapper(DatabaseWrapperMixin, base.DatabaseWrapper):  # type: ignore[misc] # the library has no types
    """Count connections and their failures; observe each statement; fold case as Python does."""

    create_cursor = base.DatabaseWrapper.create_cursor  # the mixin's own would count each statement a second time

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(observe_query)

    def get_new_connection(self, parameters: Any) -> Any:
        connection = super().get_new_connection(parameters)
        connection.create_function(SQLITE_FUNCTION, 1, fold, deterministic=True)
        return connection
