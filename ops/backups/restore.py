"""Restore a backup: validate all of it first, then replace the database in one transaction."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from ops.backups.backup import LOCK
from ops.backups.dump import engine
from ops.backups.files import Backup, OnProgress, open_workspace, read_backup, spool
from ops.backups.manifest import Manifest, Refused
from ops.config.service import ServiceConfig
from ops.database.locks import command_lock

FILLED_BY_MIGRATE = ("django_migrations", "django_content_type", "auth_permission")


@dataclass(frozen=True)
class Validated:
    """A backup that this release can restore here, the rows it replaces, and the migrations it lacks."""

    backup: Backup
    rows_replaced: int  # of the live database, without those that a fresh migrate makes
    pending: tuple[str, ...]
    workspace: Path

    def restore(self, on_progress: OnProgress) -> None:
        """Replace the database; raise Refused or Stopped with nothing changed."""
        engine().load(self.backup, self.workspace, on_progress)


@contextmanager
def validated(*, config: ServiceConfig, file: str, locked: bool, on_progress: OnProgress) -> Iterator[Validated]:
    """Yield the backup after every check that needs no change; `-` is standard input. Raise Refused."""
    with ExitStack() as stack:
        if locked:
            stack.enter_context(command_lock("migrate"))
            stack.enter_context(command_lock(LOCK))
        workspace = stack.enter_context(open_workspace(_work_folder(), config.service))
        path, name = Path(file), file
        if file == "-":
            path, name = workspace / "input", "Standard input"
            spool(sys.stdin.fileno(), path, on_progress)
        backup = read_backup(path, name)
        known = MigrationLoader(None).disk_migrations or {}
        release = {f"{app}.{name}" for app, name in known}
        _refuse_foreign(backup.manifest, config.service, release)
        for _ in backup.chunks(on_progress):  # the checksum
            pass
        engine().check_tools()
        yield Validated(backup, _rows_to_replace(), tuple(sorted(release - set(backup.manifest.migrations))), workspace)


def _work_folder() -> Path:
    """Return a folder with room for the data: beside SQLite's own file, or the one for temporary files."""
    beside = Path(str(connection.settings_dict["NAME"])).parent
    return beside if connection.vendor == "sqlite" and beside.is_dir() else Path(tempfile.gettempdir())


def _refuse_foreign(manifest: Manifest, service: str, release: set[str]) -> None:
    if manifest.service != service:
        raise Refused(f"This is a backup of {manifest.service}, not of {service}.")
    if manifest.vendor != connection.vendor:
        raise Refused(f"This is a backup of {manifest.vendor}; the database is {connection.vendor}.")
    if unknown := sorted(set(manifest.migrations) - release):
        raise Refused(
            f"The backup is of version {manifest.version}, newer than this release, which does not know "
            f"{', '.join(unknown)}. Restore it with that version."
        )


def _rows_to_replace() -> int:
    """Count the live rows without those that a fresh migrate makes."""
    counts = engine().row_counts()
    return sum(rows for table, rows in counts.items() if table.rsplit(".", 1)[-1] not in FILLED_BY_MIGRATE)
