from __future__ import annotations

from secrets import token_hex
from typing import Any
from urllib.parse import quote, urlsplit

import dj_database_url
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import connection

from ops.cli.arguments import counted
from ops.cli.command import FAILED, USAGE, OpsCommand, Result
from ops.config.service import ServiceConfig
from ops.database import session
from ops.database.login_roles import (
    LONGEST_NAME,
    are_related,
    lock_role,
    other_role,
    role_exists,
    sessions_of,
    unlock_role,
)


class Command(OpsCommand):
    """Replace the password of the database without refusing a request (PostgreSQL). A service has two login roles,
    such as products and products_2, used in turn. The idle one gets a new password, and the command prints its
    DATABASE_URL. The role of the current DATABASE_URL stays valid until --lock.

    Examples:
      manage.py rotate_database_password             1. prints the new DATABASE_URL: deploy with it
      manage.py rotate_database_password --lock      2. after the deploy: the role used before cannot log in any more

    DATABASE_DIRECT_URL must connect as the owner of the tables, which may change roles. The command refuses to
    change a role that has sessions. The first run creates the second role.
    """

    changes = True
    exclusive = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lock", action="store_true", help="lock the role that DATABASE_URL does not name")

    def perform(self, *, lock: bool, dry_run: bool, **options: Any) -> Result:
        config: ServiceConfig = settings.CONFIG
        serving = _role_of(config)
        idle = other_role(serving)
        _check(idle, serving)
        if count := sessions_of(connection, idle):
            raise CommandError(
                f"{idle} has {counted(count, 'session')}, so processes still use it; nothing was changed. "
                f"Deploy with the DATABASE_URL of {serving} first.",
                returncode=FAILED,
            )
        if lock:
            return _lock(idle, dry_run=dry_run)
        details = {"dryRun": dry_run, "role": idle}
        if dry_run:
            return Result(f"Would give {idle} a new password. Nothing was changed.", details=details)
        password = token_hex(32)
        unlock_role(connection, idle, like=serving, password=password)
        session.set_in_role(connection, idle, session.request_settings(config.database_statement_timeout))
        url = _with_login(config.database_url.get_secret_value(), idle, password)
        return Result(url, {"changed": 1}, details={**details, "databaseUrl": url})


def _check(idle: str, serving: str) -> None:
    """Refuse a role that is not of this service, though it has the name."""
    if len(idle.encode()) > LONGEST_NAME:
        raise CommandError(f"{idle} is longer than PostgreSQL's {LONGEST_NAME} bytes.", returncode=USAGE)
    if role_exists(connection, idle) and not are_related(connection, idle, serving):
        raise CommandError(f"{idle} exists and has nothing to do with {serving}.", returncode=FAILED)


def _lock(idle: str, *, dry_run: bool) -> Result:
    if not role_exists(connection, idle):
        return Result(f"Nothing to lock: {idle} does not exist.", {"locked": 0})
    if dry_run:
        return Result(f"Would lock {idle}. Nothing was changed.", {"locked": 0}, details={"dryRun": True})
    lock_role(connection, idle)
    return Result(f"{idle} cannot log in any more.", {"locked": 1})


def _role_of(config: ServiceConfig) -> str:
    """Return the role of DATABASE_URL; refuse a database without roles, and a run that is not the owner's."""
    if connection.vendor != "postgresql":
        raise CommandError("The database is a file, which has no password.", returncode=USAGE)
    role = str(dj_database_url.parse(config.database_url.get_secret_value())["USER"])
    if not role or connection.settings_dict["USER"] == role:
        raise CommandError(
            "DATABASE_URL must name the role of the service, and DATABASE_DIRECT_URL the owner of its tables.",
            returncode=USAGE,
        )
    return role


def _with_login(url: str, role: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{quote(role, safe='')}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()
