"""A lock for commands that must not run twice at once: PostgreSQL's advisory lock, or a locked file beside SQLite's."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.core.management.base import CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ops.database.session import is_pooled

POLL = 0.2  # seconds
LONGEST_NAME = 63  # bytes that PostgreSQL keeps of an application_name

HOLDER = """
    SELECT application_name, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND classid = 0 AND objid = %s AND objsubid = 1 AND granted
      AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class PoolerBetween(CommandError):
    """A pooler stands between, so that the server would not keep the lock for this run."""

    def __init__(self, command: str) -> None:
        super().__init__(
            f"A pooler stands before the database, so {command} cannot hold its lock; nothing was changed. "
            "Set DATABASE_DIRECT_URL to the server itself.",
            returncode=2,
        )


class LockHeld(CommandError):
    """Another run holds the lock; the text names its process and the time of its start."""

    def __init__(self, text: str) -> None:
        super().__init__(text, returncode=3)


@contextmanager
def command_lock(command: str, *, wait: float = 0.0, alias: str = "default") -> Iterator[None]:
    """Hold the command's lock, waiting for it up to `wait` seconds; raise LockHeld.

    The lock ends with the process, also with one that is killed.
    """
    connection = connections[alias]
    hold = _advisory_lock if connection.vendor == "postgresql" else _file_lock
    with hold(connection, command, wait):
        yield


@contextmanager
def _advisory_lock(connection: BaseDatabaseWrapper, command: str, wait: float) -> Iterator[None]:
    if is_pooled(connection):
        raise PoolerBetween(command)
    key = zlib.crc32(f"argos:{command}".encode())

    def try_lock() -> bool:
        # Tried again and again: a statement that waits for a lock keeps its snapshot. A CREATE INDEX CONCURRENTLY of
        # the run that holds the lock would wait for that snapshot for ever.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
            return bool(cursor.fetchone()[0])

    def holder() -> tuple[str, str]:
        with connection.cursor() as cursor:
            cursor.execute(HOLDER, [key])
            name, connected = cursor.fetchone() or ("", None)
        match name.split(" "):
            case [_, since, process]:
                return process, since
            case _:  # the run took the lock a moment ago, or released it
                return "a run that has just begun or ended", _format(connected or datetime.now(UTC))

    _acquire(command, try_lock, holder, wait)
    name = f"{command} {_format(datetime.now(UTC))} {_process()}"  # the next run reads it
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, false)", [name[:LONGEST_NAME]])
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
                cursor.execute("RESET application_name")


@contextmanager
def _file_lock(connection: BaseDatabaseWrapper, command: str, wait: float) -> Iterator[None]:
    database = str(connection.settings_dict["NAME"])
    if ":memory:" in database or "mode=memory" in database:  # no other process can open it
        yield
        return
    path = Path(f"{database}.{command}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:

        def try_lock() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        def holder() -> tuple[str, str]:
            file.seek(0)
            held = json.loads(file.read() or '{"holder": "a run that has just begun", "since": "now"}')
            return held["holder"], held["since"]

        _acquire(command, try_lock, holder, wait)
        file.truncate(0)
        file.write(json.dumps({"holder": _process(), "since": _format(datetime.now(UTC))}))
        file.flush()
        yield
        # The file stays: a lock on a file that another process has removed would exclude no run.


def _acquire(command: str, try_lock: Callable[[], bool], holder: Callable[[], tuple[str, str]], wait: float) -> None:
    deadline = time.monotonic() + wait
    while not try_lock():
        if time.monotonic() >= deadline:
            name, since = holder()
            raise LockHeld(f"Another {command} is running: {name}, since {since}; nothing was changed.")
        time.sleep(POLL)


def _process() -> str:
    return f"{os.getpid()}@{socket.gethostname()}"


def _format(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
