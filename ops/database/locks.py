"""A lock for commands of which one may run at a time: PostgreSQL's advisory lock, or a locked file beside SQLite's."""

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


class PoolerBetween(Exception):
    """A pooler stands between, so that the server would not keep the lock for this run."""


class HeldByAnother(Exception):
    """Another run holds the lock; the text says who and since when."""


@contextmanager
def exclusive(command: str, *, wait: float = 0.0, alias: str = "default") -> Iterator[None]:
    """Hold the command's lock, waiting for it up to `wait` seconds; raise HeldByAnother.

    However the process ends, the lock goes with it.
    """
    connection = connections[alias]
    lock = _advisory_lock if connection.vendor == "postgresql" else _file_lock
    with lock(connection, command, wait):
        yield


@contextmanager
def _advisory_lock(connection: BaseDatabaseWrapper, command: str, wait: float) -> Iterator[None]:
    if is_pooled(connection):
        raise PoolerBetween(
            f"A pooler stands before the database, so {command} cannot hold its lock; nothing was changed. "
            "Set DATABASE_DIRECT_URL to the server itself."
        )
    key = zlib.crc32(f"argos:{command}".encode())

    def is_taken() -> bool:
        # Asked again and again: a statement that waits for a lock holds a snapshot meanwhile, for which a
        # CREATE INDEX CONCURRENTLY of the run that holds the lock would wait for ever.
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
            case _:  # it has just taken the lock, or just given it back
                return "a run that has just begun or ended", _format(connected or datetime.now(UTC))

    _take(command, is_taken, holder, wait)
    name = f"{command} {_format(datetime.now(UTC))} {_process()}"  # which is what the next run sees
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
    if ":memory:" in database or "mode=memory" in database:  # which is nobody else's
        yield
        return
    path = Path(f"{database}.{command}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:

        def is_taken() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        def holder() -> tuple[str, str]:
            file.seek(0)
            held = json.loads(file.read() or '{"holder": "a run that has just begun", "since": "now"}')
            return held["holder"], held["since"]

        _take(command, is_taken, holder, wait)
        file.truncate(0)
        file.write(json.dumps({"holder": _process(), "since": _format(datetime.now(UTC))}))
        file.flush()
        yield
        # The file stays: whoever locks a file that another process has removed holds nothing.


def _take(command: str, is_taken: Callable[[], bool], holder: Callable[[], tuple[str, str]], wait: float) -> None:
    deadline = time.monotonic() + wait
    while not is_taken():
        if time.monotonic() >= deadline:
            name, since = holder()
            raise HeldByAnother(f"Another {command} is at it: {name}, since {since}; nothing was changed.")
        time.sleep(POLL)


def _process() -> str:
    return f"{os.getpid()}@{socket.gethostname()}"


def _format(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
