"""The interface of the two database engines for backups; `engine` returns the service's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.apps import apps
from django.db import connection

from ops import settings
from ops.backups.files import Backup, OnProgress
from ops.backups.manifest import Table

MIGRATIONS = "SELECT app, name FROM django_migrations ORDER BY app, name"


@dataclass(frozen=True)
class Dump:
    """One moment of a database: its tables and its bytes."""

    server: str
    migrations: list[tuple[str, str]]
    tables: dict[str, Table]
    chunks: Iterator[bytes]
    extensions: tuple[str, ...] = ()


class Engine(Protocol):
    """The interface of ops.backups.sqlite and ops.backups.postgresql."""

    def check_tools(self) -> None: ...

    def dump(self, folder: Path, on_progress: OnProgress) -> AbstractContextManager[Dump]: ...

    def load(self, backup: Backup, folder: Path, on_progress: OnProgress) -> None: ...

    def try_out(self, backup: Backup, folder: Path, on_progress: OnProgress) -> dict[str, Table]: ...

    def row_counts(self) -> dict[str, int]: ...


def engine() -> Engine:
    """Return the engine of the service's database."""
    from ops.backups import postgresql, sqlite  # noqa: PLC0415 - both import this module

    return postgresql if connection.vendor == "postgresql" else sqlite


def state(migrations: Iterable[tuple[str, str]]) -> str:
    """Return the last migration of each of the service's own apps, such as orders.0001."""
    own = {app.label for app in apps.get_app_configs() if app.name not in settings.INSTALLED_APPS}
    last = {app: name.split("_")[0] for app, name in sorted(migrations) if app in own}
    return "+".join(f"{app}.{number}" for app, number in last.items()) or "none"
