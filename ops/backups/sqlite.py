"""Dump and load SQLite through its online backup API (https://www.sqlite.org/backup.html)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.db import connection

from ops.backups.dump import MIGRATIONS, Dump
from ops.backups.files import CHUNK, Backup, OnProgress
from ops.backups.manifest import Refused, Table

PAGES = 2_000  # copied between two reports of progress
BATCH = 10_000  # rows hashed between two reports
BUSY_LIMIT = 20  # seconds to wait for another writer


@contextmanager
def dump(folder: Path, on_progress: OnProgress) -> Iterator[Dump]:
    """Yield a copy of the database of one moment; other processes go on writing."""
    copy = folder / "copy.sqlite3"
    with connection.wrap_database_errors, closing(_open(_live())) as source, closing(_open(copy)) as target:
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM sqlite_schema").fetchone()  # from here on it sees one snapshot
        source.backup(target, pages=PAGES, progress=_watch(on_progress))
        source.execute("ROLLBACK")
        target.execute("PRAGMA journal_mode=DELETE")  # one file, without a -wal beside it
        tables = _tables(target, on_progress)
        migrations = target.execute(MIGRATIONS).fetchall() if "django_migrations" in tables else []
    yield Dump(sqlite3.sqlite_version, migrations, tables, _read(copy))


def load(backup: Backup, folder: Path, on_progress: OnProgress) -> None:
    """Replace the database in one transaction: other processes see either all old or all new data."""
    with (
        connection.wrap_database_errors,
        closing(_unpack(backup.chunks(on_progress), folder)) as source,
        closing(_open(_live())) as target,
    ):
        source.backup(target, pages=PAGES, progress=_watch(on_progress, BUSY_LIMIT))


def try_out(backup: Backup, folder: Path, on_progress: OnProgress) -> dict[str, Table]:
    """Restore into a scratch database and return its tables."""
    with connection.wrap_database_errors, closing(_unpack(backup.chunks(on_progress), folder)) as scratch:
        return _tables(scratch, on_progress)


def row_counts() -> dict[str, int]:
    """Return the number of rows of each live table."""
    if not _live().startswith("file:") and not Path(_live()).exists():  # opening it would create it
        return {}
    with connection.wrap_database_errors, closing(_open(_live())) as live:
        counted = {name: live.execute(f"SELECT count(*) FROM {_quoted(name)}") for name in _names(live)}  # noqa: S608
        return {name: int(cursor.fetchone()[0]) for name, cursor in counted.items()}


def check_tools() -> None:
    """Do nothing: the API is part of Python."""


def _live() -> str:
    return str(connection.settings_dict["NAME"])


def _open(name: str | Path) -> sqlite3.Connection:
    # Not sqlite3.connect: tracing wraps its connection, and backup() refuses a wrapped one.
    uri = str(name).startswith("file:")
    return sqlite3.Connection(str(name), uri=uri, isolation_level=None, timeout=1)


def _unpack(chunks: Iterable[bytes], folder: Path) -> sqlite3.Connection:
    """Return a scratch database with the dump in it; raise Refused if SQLite finds a fault."""
    path = folder / "scratch.sqlite3"
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
    scratch = _open(path)
    found = scratch.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        scratch.close()
        raise Refused(f"SQLite finds a fault in the database: {found}.")
    return scratch


def _watch(on_progress: OnProgress, limit: float = 0) -> Callable[[int, int, int], None]:
    """Return the API's callback after each step, which gives up on another writer; the API would wait for ever."""
    tries = 0

    def watch(status: int, remaining: int, total: int) -> None:
        nonlocal tries
        tries += status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if tries > limit:
            raise Refused("Another process keeps the database locked; nothing was changed. Run it again.")
        if status != sqlite3.SQLITE_DONE:  # SQLITE_DONE means committed
            on_progress(0)

    return watch


def _names(database: sqlite3.Connection) -> list[str]:
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    return [str(row[0]) for row in database.execute(tables).fetchall()]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tables(database: sqlite3.Connection, on_progress: OnProgress) -> dict[str, Table]:
    names = _names(database)
    database.text_factory = bytes  # of any encoding
    try:
        return {name: _table(database, name, on_progress) for name in names}
    finally:
        database.text_factory = str


def _table(database: sqlite3.Connection, name: str, on_progress: OnProgress) -> Table:
    rows, digest = 0, hashlib.sha256()
    cursor = database.execute(f"SELECT * FROM {_quoted(name)}")  # noqa: S608 - in the order of the rows
    while batch := cursor.fetchmany(BATCH):
        rows += len(batch)
        digest.update(repr(batch).encode())
        on_progress(0)
    return Table(rows, digest.hexdigest())


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
