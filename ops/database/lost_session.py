"""Tell when a statement may run again after PostgreSQL has ended its session, as a failover does.

A read may, as it has changed nothing. A write may once its session is gone from the server and has not committed it.
"""

from __future__ import annotations

import time
from typing import Any

from ops.database.errors import READ_ONLY, is_unavailable
from ops.database.session import is_pooled
from ops.turns import waiting

SOON = 1.0  # seconds; a session that was given up at its deadline has cost the client enough time
PAUSE = 0.01


def is_lost(database: Any, error: BaseException, *, since: float) -> bool:
    """Tell whether a statement outside of a transaction failed as its session ended, and soon after the time `since`.

    It is for a session of the pool, which gives out another one: a command has one session, and a lock in it.
    """
    session = database.connection
    if database.in_atomic_block or database.pool is None or session is None or not session.closed:
        return False
    if getattr(error.__cause__, "sqlstate", None) == READ_ONLY:  # closed by us: other sessions are read-only as well
        return False
    return is_unavailable(error) and time.monotonic() - since < SOON


def is_gone(database: Any, process_id: int) -> bool:
    """Tell whether the server ends the session of this process id soon: it cannot commit anything after that."""
    if is_pooled(database):  # whose process ids are not the server's
        return False
    until = time.monotonic() + SOON
    with database.cursor() as cursor:
        while True:
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [process_id])
            if cursor.fetchone() is None:
                return True
            if time.monotonic() > until:
                return False
            with waiting:
                time.sleep(PAUSE)
