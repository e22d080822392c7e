"""Make a backup: dump, seal, verify on request, and only then give the file its name."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from django.db import connection

from ops.backups.dump import engine, state
from ops.backups.files import Backup, OnProgress, open_workspace, publish, stream_to, write_backup
from ops.backups.manifest import Manifest, Refused, Table
from ops.config.service import ServiceConfig
from ops.database.locks import command_lock

LOCK = "backup-or-restore"


def make_backup(
    *, config: ServiceConfig, folder: Path | None, verify: bool, on_progress: OnProgress
) -> tuple[Manifest, str]:
    """Back up the service's database into a folder, or to standard output for None; raise Refused.

    Return the manifest, and the place of the backup: a path, or standard output.
    """
    if folder is not None and not folder.is_dir():
        raise Refused(f"{folder} is not a folder.", returncode=2)
    with command_lock(LOCK), open_workspace(folder or Path(tempfile.gettempdir()), config.service) as workspace:
        engine().check_tools()
        backup = _write(config, workspace, on_progress)
        if verify:
            _verify(backup, workspace, on_progress)
        if folder is not None:
            return backup.manifest, str(publish(backup, folder))
        try:
            stream_to(backup.path, sys.stdout.fileno(), on_progress)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Refused(f"Standard output: {error.strerror}; the backup there is not complete.") from error
        return backup.manifest, "standard output"


def _write(config: ServiceConfig, workspace: Path, on_progress: OnProgress) -> Backup:
    created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with engine().dump(workspace, on_progress) as dump:
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
            extensions=dump.extensions,
        )
        return write_backup(workspace / "backup", draft, dump.chunks, on_progress)


def _verify(backup: Backup, workspace: Path, on_progress: OnProgress) -> None:
    """Restore the file into a scratch database and compare that with the dump."""
    try:
        found = engine().try_out(backup, workspace, on_progress)
    except Refused as reason:
        raise Refused(f"The backup cannot be restored, so it was deleted: {reason}") from reason
    if differences := _differences(backup.manifest.tables, found):
        raise Refused(f"The backup differs from the database, so it was deleted: {'; '.join(differences)}.")


def _differences(dumped: Mapping[str, Table], found: Mapping[str, Table]) -> list[str]:
    missing = Table(0, "missing")
    return [
        f"{name}: {dumped.get(name, missing).rows} rows dumped, {found.get(name, missing).rows} restored"
        for name in sorted({*dumped, *found})
        if dumped.get(name) != found.get(name)
    ]
