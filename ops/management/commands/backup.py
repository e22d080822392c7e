from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from ops.backups.taking import take_backup
from ops.backups.watching import watched
from ops.cli.command import OpsCommand, Result


class Command(OpsCommand):
    help = (
        "Back up the service's database, consistently, while it serves: one file that holds its own checksum.\n"
        "Nothing has a backup's name before it is whole and on the disk."
    )
    examples = (
        "  manage.py backup --to /backups --verify\n"
        "  manage.py backup --to - | ssh vault 'cat > orders.backup'\n\n"
        "The file is a tar of manifest.json (service, version, migrations, rows and a digest of each table, checksum)\n"
        "and the dump, as SQLite's file or in pg_dump's custom format; its name says service, version, migration\n"
        "state and time. PostgreSQL needs pg_dump, psql and pg_restore, none older than the server.\n"
        "For standard output it is made whole in TMPDIR first; the closing sentence then goes to standard error.\n"
        "A folder that is missing, or a tool that is missing or too old, ends with 2."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to",
            default=".",
            metavar="FOLDER",
            help="write the file into this folder; - is standard output (default: the current folder)",
        )
        parser.add_argument(
            "--verify",
            action="store_true",
            help="restore it into a scratch database first, compare every table, and keep it only if all are the same",
        )

    def perform(self, *, to: str, verify: bool, **options: Any) -> Result:
        if to == "-":
            if sys.stdout.isatty():
                raise CommandError("Standard output is a terminal: send it to a file or a pipe.", returncode=2)
            self.stdout = self.stderr  # standard output is the backup's
        folder = None if to == "-" else Path(to)
        with watched(self, "backing up") as look:
            taken = take_backup(config=settings.CONFIG, folder=folder, verify=verify, look=look)
        manifest = taken.manifest
        return Result(
            f"Backed up {manifest.rows} rows of {len(manifest.tables)} tables to {taken.place}: {manifest.size} bytes"
            f"{', restored and compared' if verify else ''}.",
            {"tables": len(manifest.tables), "rows": manifest.rows, "bytes": manifest.size},
            details={"file": taken.place, "sha256": manifest.sha256, "verified": verify},
        )
