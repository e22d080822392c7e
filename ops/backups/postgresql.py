"""Dump and load PostgreSQL with its own pg_dump, pg_restore and psql; their environment has the password."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from django.db import ProgrammingError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import Conninfo

from ops.backups.dump import MIGRATIONS, Dump
from ops.backups.files import CHUNK, Backup, OnProgress
from ops.backups.manifest import Refused, Table

PIPE, NOTHING = subprocess.PIPE, subprocess.DEVNULL
Stream = int | IO[bytes] | None
CONNECT_TIMEOUT = 20  # seconds: the timeout of a request is too short for a nightly run
LOCK_TIMEOUT = "20s"  # for a table, as other transactions wait behind this one
TABLES = """
    SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND relpersistence <> 't' AND nspname NOT LIKE 'pg~_%' ESCAPE '~'
      AND nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
    ORDER BY 1, 2
"""
# Those that a restore has to create; it may, if they are trusted or its user is a superuser.
EXTENSIONS = "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"
# It does not depend on the order of the rows, and reads a table of any size once without storing it.
CONTENTS = (
    "SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint::numeric), 0) FROM ONLY {} AS t"
)


@contextmanager
def dump(folder: Path, on_progress: OnProgress) -> Iterator[Dump]:
    """Yield pg_dump's output and the tables, both of one snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot(), current_setting('server_version')")
        snapshot, server = cursor.fetchone()
        tables = _tables(connection, on_progress)
        cursor.execute(EXTENSIONS)
        extensions = tuple(name for (name,) in cursor.fetchall())
        migrations = []
        if any(name.endswith(".django_migrations") for name in tables):
            cursor.execute(MIGRATIONS)
            migrations = cursor.fetchall()
        options = ("--format=custom", f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_TIMEOUT}")
        # Without extensions: pg_restore would drop them first, as only their owner may. With large objects (-b), which
        # --extension would leave out.
        with _tool("pg_dump", *options, "--extension=plpgsql", "-b", stdout=PIPE) as tool:
            yield Dump(server, migrations, tables, _output(tool), extensions)


def load(backup: Backup, folder: Path, on_progress: OnProgress, *, database: str | None = None) -> None:
    """Replace the database in one transaction, and commit it only after every part has succeeded.

    `pg_restore --single-transaction` would keep tables that the backup does not know, such as a newer release's.
    """
    name = database or _database()
    with closing(_connect(name)) as target:
        to_delete = ", ".join(_quoted(*table) for table in _names(target))
    drop = f"DROP TABLE {to_delete} CASCADE;" if to_delete else ""
    create = "".join(f"CREATE EXTENSION IF NOT EXISTS {_quoted(name)};" for name in backup.manifest.extensions)
    begin = f"BEGIN; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SET LOCAL client_min_messages = warning;"
    with _tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", database=name, stdin=PIPE) as psql:
        psql.write(f"{begin}{drop}{create}\n".encode())
        options = ("--format=custom", "--clean", "--if-exists", "--no-owner", "--no-privileges", "--file=-")
        with _tool("pg_restore", *options, stdin=PIPE, stdout=psql.process.stdin) as pg_restore:
            for chunk in backup.chunks(on_progress):
                if not pg_restore.write(chunk):
                    break
            pg_restore.close_input()
            restored = pg_restore.process.wait() == 0
            if restored:
                psql.write(b"COMMIT;\n")  # the end of its input rolls back, also when this process is killed
            psql.close_input()
            psql.succeed()  # first: if psql fails, pg_restore fails for want of a reader
            pg_restore.succeed()


def try_out(backup: Backup, folder: Path, on_progress: OnProgress) -> dict[str, Table]:
    """Restore into a scratch database beside the live one and return its tables."""
    # One name for each database: this run holds the lock, so it may remove the scratch of a killed run.
    scratch = f"argos_scratch_{zlib.crc32(str(connection.settings_dict['NAME']).encode()):08x}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {scratch} WITH (FORCE)")
        try:
            cursor.execute(f"CREATE DATABASE {scratch} TEMPLATE template0")
        except ProgrammingError as error:
            raise Refused(f"--verify needs a scratch database: {error}. Grant it: ALTER ROLE … CREATEDB.") from error
        try:
            load(backup, folder, on_progress, database=scratch)
            with closing(_connect(scratch)) as copy:
                return _tables(copy, on_progress)
        finally:
            if connection.is_usable():
                cursor.execute(f"DROP DATABASE IF EXISTS {scratch} WITH (FORCE)")


def row_counts() -> dict[str, int]:
    """Return the number of rows of each live table."""
    counts = {}
    for schema, name in _names(connection):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ONLY {_quoted(schema, name)}")  # noqa: S608 - quoted
            counts[f"{schema}.{name}"] = int(cursor.fetchone()[0])
    return counts


def check_tools() -> None:
    """Raise Refused if a tool is missing or older than the server."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        server = int(cursor.fetchone()[0]) // 10_000
    for tool in ("pg_dump", "pg_restore", "psql"):
        path = shutil.which(tool)
        package = f"install postgresql-client-{server} (Debian), or use a container of postgres:{server}"
        if path is None:
            raise Refused(f"{tool} is not on PATH: {package}.", returncode=2)
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - ours
        major = int((re.search(r"\d+", said) or ["0"])[0])
        if major < server:
            raise Refused(f"{path} is of PostgreSQL {major}, the server of {server}: {package}.", returncode=2)


class _Tool:
    """A process of PostgreSQL's tools, and its error output."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, errors: IO[bytes]) -> None:
        self.process = process
        self._name = name
        self._errors = errors

    def write(self, data: bytes) -> bool:
        """Return true while the process reads; if not, `succeed` says why."""
        assert self.process.stdin is not None  # noqa: S101 - for the type checker
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def close_input(self) -> None:
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()

    def succeed(self) -> None:
        """Wait for the end of the process; raise Refused with its first line of errors if it failed."""
        if self.process.wait() != 0:
            self._errors.seek(0)
            said = (
                str(self._errors.read(2000), "utf-8", "replace").strip() or f"it ended with {self.process.returncode}"
            )
            raise Refused(f"{self._name} failed; nothing was changed: {said.splitlines()[0]}")


@contextmanager
def _tool(
    name: str, *options: str, database: str | None = None, stdin: int = NOTHING, stdout: Stream = NOTHING
) -> Iterator[_Tool]:
    """Run one of PostgreSQL's tools until the block ends."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - its arguments are ours
            [name, "--no-password", *options],
            env=os.environ | _environment(database),
            stderr=errors,
            process_group=0,  # Ctrl-C reaches this process alone, which then ends the tool
            stdin=stdin,
            stdout=stdout,
        )
        tool = _Tool(process, name, errors)
        try:
            yield tool
        finally:
            if process.poll() is None:
                process.kill()
            tool.close_input()
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


def _output(tool: _Tool) -> Iterator[bytes]:
    assert tool.process.stdout is not None  # noqa: S101 - for the type checker
    while chunk := tool.process.stdout.read(CHUNK):
        yield chunk
    tool.succeed()


def _environment(database: str | None) -> dict[str, str]:
    """Return libpq's variables for Django's connection; arguments would show the password to every user."""
    parameters = connection.get_connection_params() | {"connect_timeout": CONNECT_TIMEOUT}
    parameters["dbname"] = database or _database()
    return {
        str(option.envvar, "ascii"): str(parameters[keyword])
        for option in Conninfo.get_defaults()
        if option.envvar and parameters.get(keyword := str(option.keyword, "ascii")) is not None
    }


def _database() -> str:
    """Return the name of the connected database; in tests the settings may name another one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        return str(cursor.fetchone()[0])


def _connect(database: str) -> BaseDatabaseWrapper:
    other = connection.copy()
    other.settings_dict["NAME"] = database
    other.settings_dict["OPTIONS"].pop("pool", None)  # a pool belongs to an alias, and the alias is the same
    return other


def _names(database: BaseDatabaseWrapper) -> list[tuple[str, str]]:
    with database.cursor() as cursor:
        cursor.execute(TABLES)
        return list(cursor.fetchall())


def _tables(database: BaseDatabaseWrapper, on_progress: OnProgress) -> dict[str, Table]:
    tables = {}
    for schema, name in _names(database):
        on_progress(0)
        with database.cursor() as cursor:
            cursor.execute(CONTENTS.format(_quoted(schema, name)))
            rows, digest = cursor.fetchone()
        tables[f"{schema}.{name}"] = Table(rows, str(digest))
    return tables


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
