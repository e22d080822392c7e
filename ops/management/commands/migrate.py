"""Django's own migrate, safe to start on every replica at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dj_database_url
import structlog
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from ops.cli.command import FAILED, USAGE, OpsCommand, Result
from ops.config.service import ServiceConfig
from ops.database import session
from ops.database.errors import is_contention
from ops.database.locks import command_lock
from ops.database.migration_history import foreign_history

log = structlog.get_logger(__name__)


class Command(OpsCommand, migrate.Command):
    """Apply or unapply migrations, as Django does. One run at a time: a second run waits for the first one, then
    applies the rest.

    Examples:
      manage.py migrate
      manage.py migrate --plan                 what would be applied
      manage.py migrate orders 0001            back to that migration

    Ends with 3 if another run still works after --wait, with 1 if others still hold a table.
    """

    requires_system_checks = migrate.Command.requires_system_checks

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--wait",
            type=float,
            default=300.0,
            metavar="SECONDS",
            help="for another run to finish, and for tables that others hold (default: %(default)g)",
        )
        parser.add_argument(
            "--lock-timeout",
            type=float,
            default=1.0,
            metavar="SECONDS",
            help="longest wait for a table at each try, as others wait behind it (PostgreSQL; default: %(default)g)",
        )

    def perform(self, *args: Any, as_json: bool, wait: float, lock_timeout: float, **options: Any) -> Result:
        if as_json:
            options["verbosity"] = 0
        if options["plan"] or options["check_unapplied"]:  # they change nothing
            migrate.Command.handle(self, *args, **options)
            return Result("Nothing was changed.")
        connection = connections[options["database"]]
        if connection.vendor == "sqlite":
            Path(connection.settings_dict["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        with command_lock("migrate", wait=wait, alias=options["database"]), _bounds(connection, lock_timeout):
            _refuse_what_is_of_another(connection)
            before = _applied(connection)
            deadline = time.monotonic() + wait
            while not self._migrate(lock_timeout, deadline, *args, **options):
                self.pause(lock_timeout)
            after = _applied(connection)
            limited = _limit_the_role(connection)
        counts = {"applied": len(after - before), "unapplied": len(before - after), "role_settings": len(limited)}
        sentence = f"Migrated: {counts['applied']} applied, {counts['unapplied']} unapplied."
        if limited:
            sentence += f" New sessions of the pooler have {', '.join(limited)}; have it open its connections anew."
        return Result(sentence, counts)

    def _migrate(self, lock_timeout: float, deadline: float, *args: Any, **options: Any) -> bool:
        """Run Django's migrate; return whether it got each table that it needed."""
        try:
            migrate.Command.handle(self, *args, **options)
        except OperationalError as error:
            if not is_contention(error):
                raise
            if self.stopping or time.monotonic() + lock_timeout > deadline:
                raise CommandError(
                    f"Another transaction held a table for more than {lock_timeout:g} s, at each try. This migration "
                    "was rolled back; earlier ones stay. Run migrate again.",
                    returncode=FAILED,
                ) from error
            log.warning("migrate.table_held", lock_timeout=lock_timeout)
            return False
        return True


def _limit_the_role(connection: BaseDatabaseWrapper) -> list[str]:
    """Give the role behind a pooler the limits of a request, which its sessions cannot set; return those changed."""
    config: ServiceConfig = settings.CONFIG
    if config.database_direct_url is None or connection.alias != DEFAULT_DB_ALIAS:
        return []
    user = str(dj_database_url.parse(config.database_url.get_secret_value())["USER"])
    return session.set_in_role(connection, user, session.request_settings(config.database_statement_timeout))


def _applied(connection: BaseDatabaseWrapper) -> set[tuple[str, str]]:
    return set(MigrationRecorder(connection).applied_migrations())


def _refuse_what_is_of_another(connection: BaseDatabaseWrapper) -> None:
    if found := foreign_history(connection):
        raise CommandError(
            f"The database {connection.settings_dict['NAME']} holds {found}: it belongs to another service or project. "
            "Nothing was changed; set DATABASE_URL to this service's own.",
            returncode=USAGE,
        )


@contextmanager
def _bounds(connection: BaseDatabaseWrapper, lock_timeout: float) -> Iterator[None]:
    """Lift the limit of a statement, and limit its wait for a table: others wait behind it (PostgreSQL)."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(round(lock_timeout * 1000))])
        cursor.execute("SET statement_timeout = 0")
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
                cursor.execute("RESET statement_timeout")
