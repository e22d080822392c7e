"""A cursor that runs a read again if the server has ended its session."""

from __future__ import annotations

import time
from typing import Any

import structlog
from django.db.backends.utils import CursorWrapper
from django.db.utils import OperationalError

from ops.database.lost_session import is_lost

log = structlog.get_logger(__name__)


class Cursor(CursorWrapper):
    """Repeat a lost SELECT on other sessions of the pool, which the server may be ending as well."""

    def execute(self, sql: Any, params: Any = None) -> Any:
        started = time.monotonic()
        while True:
            try:
                return super().execute(sql, params)
            except OperationalError as error:
                if not (str(sql).startswith("SELECT") and is_lost(self.db, error, since=started)):
                    raise
                log.warning("database.read_again", reason=type(error.__cause__).__name__)
            self.db.close()
            self.cursor = self.db.cursor().cursor
