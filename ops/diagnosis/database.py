"""Probes of the database, over the asking thread's connection."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.core.checks import CheckMessage
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import ConnectionHandler

from ops.config.role import Role
from ops.config.service import ServiceConfig
from ops.database import session
from ops.diagnosis.probe import NoAnswer, failure, ok, warning
from ops.settings import databases

CLOCK_WARNING, CLOCK_FAILURE = timedelta(seconds=1), timedelta(seconds=30)
CONNECTIONS_WARNING = 0.8  # share of those that the server gives to applications
SPARE_CONNECTIONS = 2  # of each process beside its threads', as ops.settings counts them
NAMED = 3  # migrations named in a line
LEAST_FREE = 1024 * 1024  # bytes: SQLite writes a page of its journal for each page that an order changes
MORE_CONNECTIONS = "Raise max_connections, lower WEB_CONCURRENCY or WEB_THREADS, or put a pooler between."
READ_ONLY = "Connect to the primary, or end default_transaction_read_only; reads go on, and every write answers 503."
# The server's words, as the driver knows no SQLSTATE of a connection that failed; set lc_messages to C or en_US.
NO_FREE_CONNECTION = ("too many clients", "too many connections", "remaining connection slots")

CONNECTIONS = """
    SELECT count(*), current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int
    FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


def is_in_memory(name: str) -> bool:
    """Tell whether SQLite keeps this database in no file."""
    return ":memory:" in name or "mode=memory" in name


def existing_database() -> BaseDatabaseWrapper:
    """Return the database; raise NoAnswer rather than make the file of a SQLite database that does not exist."""
    connection = connections["default"]
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not is_in_memory(name) and not Path(name).exists():
        raise NoAnswer(f"{name} does not exist; manage.py migrate makes it")
    return connection


def connection_count() -> tuple[int, int]:
    """Return how many connections of PostgreSQL are used, and how many it gives to applications."""
    with connections["default"].cursor() as cursor:
        cursor.execute(CONNECTIONS)
        used, limit = cursor.fetchone()
    return used, limit


def answers(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Ask for one row; a SQLite file that does not exist yet is made, as `migrate` would."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
    yield ok("answers")


def reachable(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Ask for one row, and for the version."""
    connection = existing_database()
    started = time.perf_counter()
    try:
        is_read_only = _is_read_only(connection)
    except OperationalError as error:
        if not any(words in str(error) for words in NO_FREE_CONNECTION):
            raise
        yield failure("the server has no free connection", MORE_CONNECTIONS)
        return
    took = round((time.perf_counter() - started) * 1000)
    version = ".".join(str(part) for part in connection.get_database_version())
    if is_read_only:
        yield failure(f"{connection.display_name} {version} is read-only", READ_ONLY)
    elif (fault := _disk_fault(connection)) is not None:
        yield failure(fault, "Make room on the disk of DATABASE_URL's file.")
    else:
        yield ok(f"{connection.display_name} {version}, answers in {took} ms")


def _is_read_only(connection: BaseDatabaseWrapper) -> bool:
    """Ask for one row, which on PostgreSQL says whether this is a standby or takes no writes."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only" if connection.vendor == "postgresql" else "SELECT 1")
        answer = cursor.fetchone()
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not is_in_memory(name):
        return not os.access(name, os.W_OK)
    return bool(answer == ("on",))


def _disk_fault(connection: BaseDatabaseWrapper) -> str | None:
    """Say so if the disk of a SQLite file has no room for an order."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or is_in_memory(name):
        return None
    free = shutil.disk_usage(Path(name).absolute().parent).free
    return f"{free // 1024} KiB are free on the database's disk" if free < LEAST_FREE else None


def migrated(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Compare the database's migrations with this release's."""
    connection = existing_database()
    executor = MigrationExecutor(connection)
    loader = executor.loader
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory as error:
        yield failure(str(error), "Restore a backup, or unapply the migration that came too early.")
        return
    pending = [f"{step.app_label}.{step.name}" for step, _ in executor.migration_plan(loader.graph.leaf_nodes())]
    unknown = [f"{app}.{name}" for app, name in sorted(set(loader.applied_migrations) - set(loader.disk_migrations))]
    if pending:
        yield failure(f"{_some(pending)} not applied", "Run manage.py migrate.")
    if unknown:
        yield warning(
            f"{_some(unknown)} applied that this release does not know",
            "A newer release has migrated: deploy it here too, or unapply them with it before going back.",
        )
    if not pending and not unknown:
        yield ok(f"{len(loader.applied_migrations)} applied, none pending")


def clock(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Compare this machine's clock with the database's."""
    connection = existing_database()
    if connection.vendor != "postgresql":
        yield ok("the database is a file: it has this machine's clock")
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # so that connecting does not count
        before = datetime.now(UTC)
        cursor.execute("SELECT clock_timestamp()")
        (theirs,) = cursor.fetchone()
        after = datetime.now(UTC)
    yield judge_clocks(before + (after - before) / 2 - theirs)


def judge_clocks(ahead: timedelta) -> CheckMessage:
    """Judge how far this machine's clock is ahead of the database's."""
    seconds = abs(ahead.total_seconds())
    says = f"{seconds:.3g} s {'ahead of' if ahead > timedelta(0) else 'behind'} the database's"
    if abs(ahead) <= CLOCK_WARNING:
        return ok(f"within {max(seconds, 0.001):.3f} s of the database's")
    level = failure if abs(ahead) > CLOCK_FAILURE else warning
    return level(says, "Let NTP set both clocks: times of orders, sessions and logs disagree.")


def sessions(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Compare the settings that a session of a request has with those that it needs; name a pooler that is not said."""
    if existing_database().vendor != "postgresql":
        yield ok("the database is a file: it has no sessions")
        return
    database = databases(config, Role.WEB)["default"]
    database["OPTIONS"].pop("pool")
    connection = ConnectionHandler({"default": database})["default"]
    try:
        pooled = session.is_pooled(connection)
        wrong = session.differences(connection, session.request_settings(config.database_statement_timeout))
        encoding = connection.connection.info.parameter_status("server_encoding")
        is_superuser = connection.connection.info.parameter_status("is_superuser") == "on"
    finally:
        connection.close()
    if encoding != "UTF8":
        yield failure(f"the database's encoding is {encoding}", "Make it anew with ENCODING 'UTF8': names need it.")
    if pooled and config.database_direct_url is None:
        yield failure(
            "a pooler stands before the database, and DATABASE_DIRECT_URL is unset",
            "Set DATABASE_DIRECT_URL to the server itself; see docs/operations/deploy.md.",
        )
    elif wrong:
        has = ", ".join(f"{name} is {value}" for name, value in wrong.items())
        yield failure(f"a request's session has other limits: {has}", "Run manage.py migrate, then reload the pooler.")
    elif is_superuser and config.is_production:
        yield warning("the role of DATABASE_URL is a superuser", "Give it rows alone: postgresql/make-roles.sh.")
    elif encoding == "UTF8":
        yield ok(f"as configured{', behind a pooler' if pooled else ''}")


def free_connections(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Compare what is used, and what this service may take, with what the server gives."""
    if existing_database().vendor != "postgresql":
        yield ok("the database is a file: connections do not run out")
        return
    used, limit = connection_count()
    own = config.web_concurrency * (config.web_threads + SPARE_CONNECTIONS)
    yield judge_connections(used, limit, own)


def judge_connections(used: int, most: int, own: int) -> CheckMessage:
    """Judge how many connections are used, of the most there are, where one replica takes up to `own`."""
    says = f"{used} of {most} used; one replica takes up to {own}"
    if used >= most or own > most:
        return failure(says, MORE_CONNECTIONS)
    return warning(says, MORE_CONNECTIONS) if used > CONNECTIONS_WARNING * most else ok(says)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
