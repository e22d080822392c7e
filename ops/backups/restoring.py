"""Restore a backup: judge it whole before anything is touched, then replace the database in one transaction."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from ops.backups.dump import engine
from ops.backups.files import Backup, Look, read_backup, spool, workspace
from ops.backups.manifest import Manifest, Refused
from ops.backups.taking import LOCK
from ops.config.service import ServiceConfig
from ops.database.locks import exclusive

FILLED_BY_MIGRATE = ("django_migrations", "django_content_type", "auth_permission")


@dataclass(frozen=True)
class Judged:
    """A backup that this release can restore here, what it would replace, and which migrations it lacks."""

    backup: Backup
    at_stake: int  # rows of the live database, but for those that a fresh migrate brings
    pending: tuple[str, ...]
    room: Path

    def restore(self, look: Look) -> None:
        """Replace the database; raise Refused, or stop, with nothing changed."""
        engine().load(self.backup.chunks(look), self.room, look)


@contextmanager
def judged(*, config: ServiceConfig, file: str, locked: bool, look: Look) -> Iterator[Judged]:
    """Yield the backup, `-` being standard input, once all that could be wrong with it was looked for."""
    with ExitStack() as stack:
        if locked:
            stack.enter_context(exclusive("migrate"))
            stack.enter_context(exclusive(LOCK))
        room = stack.enter_context(workspace(_roomy_folder(), config.service))
        path, name = Path(file), file
        if file == "-":
            path, name = room / "input", "Standard input"
            spool(sys.stdin.fileno(), path, look)
        backup = read_backup(path, name)
        known = MigrationLoader(None).disk_migrations or {}
        release = {f"{app}.{name}" for app, name in known}
        _refuse_a_foreign_one(backup.manifest, config.service, release)
        for _ in backup.chunks(look):  # the checksum, before anything is touched
            pass
        engine().check_tools()
        yield Judged(backup, _rows_at_stake(), tuple(sorted(release - set(backup.manifest.migrations))), room)


def _roomy_folder() -> Path:
    """Return where the data fits: beside SQLite's own file, or where temporary files go."""
    beside = Path(str(connection.settings_dict["NAME"])).parent
    return beside if connection.vendor == "sqlite" and beside.is_dir() else Path(tempfile.gettempdir())


def _refuse_a_foreign_one(manifest: Manifest, service: str, release: set[str]) -> None:
    if manifest.service != service:
        raise Refused(f"This is a backup of {manifest.service}, not of {service}.")
    if manifest.vendor != connection.vendor:
        raise Refused(f"This is a backup of {manifest.vendor}; the database is {connection.vendor}.")
    if unknown := sorted(set(manifest.migrations) - release):
        raise Refused(
            f"The backup is of version {manifest.version}, newer than this release, which does not know "
            f"{', '.join(unknown)}. Restore it with that version."
        )


def _rows_at_stake() -> int:
    """Count the live rows but for those that a fresh migrate brings."""
    counts = engine().row_counts()
    return sum(rows for table, rows in counts.items() if table.rsplit(".", 1)[-1] not in FILLED_BY_MIGRATE)
