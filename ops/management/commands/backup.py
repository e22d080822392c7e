from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from ops.backups.backup import make_backup
from ops.cli.command import OpsCommand, Result


class Command(OpsCommand):
    """Back up the service's database into one file with its own checksum; the service goes on meanwhile.
    The file gets its name when it is complete and on the disk.

    Examples:
      manage.py backup --to /backups --verify
      manage.py backup --to - | ssh vault 'cat > orders.backup'

    The file is a tar of manifest.json and the dump, as SQLite's file or in pg_dump's custom format. The manifest
    has service, version, migrations, rows and a digest of each table, and the dump's checksum. The file's name
    says service, version, migration state and time.
    PostgreSQL needs pg_dump, psql and pg_restore of the server's version or newer.
    For standard output the file is completed in TMPDIR first, and the closing sentence goes to standard error.
    A missing folder, and a missing or old tool, end with 2.
    """

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
            help="restore it into a scratch database first and compare every table; PostgreSQL's user needs CREATEDB",
        )

    def perform(self, *, to: str, verify: bool, **options: Any) -> Result:
        if to == "-":
            if sys.stdout.isatty():
                raise CommandError("Standard output is a terminal: send it to a file or a pipe.", returncode=2)
            self.stdout = self.stderr  # standard output takes the backup
        folder = None if to == "-" else Path(to)
        with self.byte_progress("backing up") as on_progress:
            manifest, place = make_backup(config=settings.CONFIG, folder=folder, verify=verify, on_progress=on_progress)
        return Result(
            f"Backed up {manifest.rows} rows of {len(manifest.tables)} tables to {place}: {manifest.size} bytes"
            f"{', restored and compared' if verify else ''}.",
            {"tables": len(manifest.tables), "rows": manifest.rows, "bytes": manifest.size},
            details={"file": place, "sha256": manifest.sha256, "verified": verify},
        )
