"""Take a backup: dump, seal, verify if asked to, and only then give the file its name."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db import connection

from ops.backups.dump import engine, state
from ops.backups.files import Backup, Look, pour, publish, workspace, write_backup
from ops.backups.manifest import Manifest, Refused, Table
from ops.config.service import ServiceConfig
from ops.database.locks import exclusive

LOCK = "backup-or-restore"


@dataclass(frozen=True)
class Taken:
    """What was written, and where: a path, or standard output."""

    manifest: Manifest
    place: str


def take_backup(*, config: ServiceConfig, folder: Path | None, verify: bool, look: Look) -> Taken:
    """Back the service's database up into a folder, or to standard output if that is None; raise Refused."""
    if folder is not None and not folder.is_dir():
        raise Refused(f"{folder} is no folder.", returncode=2)
    with exclusive(LOCK), workspace(folder or Path(tempfile.gettempdir()), config.service) as room:
        engine().check_tools()
        backup = _write(config, room, look)
        if verify:
            _verify(backup, room, look)
        if folder is not None:
            return Taken(backup.manifest, str(publish(backup, folder)))
        try:
            pour(backup.path, sys.stdout.fileno(), look)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Refused(f"Standard output: {error.strerror}; what it got is no whole backup.") from error
        return Taken(backup.manifest, "standard output")


def _write(config: ServiceConfig, room: Path, look: Look) -> Backup:
    created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with engine().dump(room, look) as dump:
        if not dump.migrations:
            raise Refused("The database has no schema to back up. (Has `manage.py migrate` run?)")
        draft = Manifest(
            service=config.service,
            version=config.service_version,
            created=created,
            vendor=connection.vendor,
            server=dump.server,
            state=state(dump.migrations),
            migrations=tuple(f"{app}.{name}" for app, name in dump.migrations),
            tables=dump.tables,
        )
        return write_backup(room / "backup", draft, dump.chunks, look)


def _verify(backup: Backup, room: Path, look: Look) -> None:
    """Restore the file's own bytes into a scratch database and compare it with what was dumped."""
    try:
        found = engine().try_out(backup.chunks(look), room, look)
    except Refused as reason:
        raise Refused(f"The backup cannot be restored, so it was not kept: {reason}") from reason
    if differences := _differences(backup.manifest.tables, found):
        raise Refused(f"The backup differs from what was dumped, so it was not kept: {'; '.join(differences)}.")


def _differences(dumped: Mapping[str, Table], found: Mapping[str, Table]) -> list[str]:
    missing = Table(0, "missing")
    return [
        f"{name}: {dumped.get(name, missing).rows} rows dumped, {found.get(name, missing).rows} restored"
        for name in sorted({*dumped, *found})
        if dumped.get(name) != found.get(name)
    ]
