from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from ops.backups.restoring import judged
from ops.backups.watching import watched
from ops.cli.command import OpsCommand, Result


class Command(OpsCommand):
    help = (
        "Replace the service's database by a backup's, all of it or nothing.\n"
        "Refuses another service's backup, another kind of database, a damaged file, a schema that is newer than this\n"
        "release and, without --yes, a database that holds more than a fresh migrate brings."
    )
    examples = (
        "  manage.py restore /backups/orders-service_v1.2.0_orders.0001_20261120T103000Z.backup --dry-run\n"
        "  manage.py restore orders.backup --yes\n"
        "  ssh vault 'cat orders.backup' | manage.py restore - --yes\n\n"
        "Stop the web processes first, or let them go on: they see the old data or the new, and on PostgreSQL wait\n"
        "meanwhile. Owners and grants are not restored. An older schema is restored as it was; then run migrate.\n"
        "After a kill or a failure the database is as it was: run it again."
    )
    changes = True
    destroys = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a file that `backup` made; - is standard input")

    def perform(self, *, file: str, dry_run: bool, yes: bool, **options: Any) -> Result:
        with ExitStack() as stack:
            with watched(self, "checking") as look:
                found = stack.enter_context(judged(config=settings.CONFIG, file=file, locked=not dry_run, look=look))
            manifest = found.backup.manifest
            if not dry_run:
                if found.at_stake:
                    self.confirm(
                        f"This replaces {found.at_stake} rows of {manifest.service} by {manifest.rows}.", yes=yes
                    )
                with watched(self, "restoring") as look:
                    found.restore(look)
        sentence = (
            f"{'Would restore' if dry_run else 'Restored'} {manifest.rows} rows of {len(manifest.tables)} tables in "
            f"place of {found.at_stake}, as they were at {manifest.created} under version {manifest.version}."
        )
        if found.pending:
            sentence += f" Then run `manage.py migrate`: {len(found.pending)} migrations of this release are newer."
        return Result(
            sentence + (" Nothing was changed." if dry_run else ""),
            {"tables": len(manifest.tables), "rows": manifest.rows, "replaced": found.at_stake},
            details={"dryRun": dry_run, "created": manifest.created, "pendingMigrations": found.pending},
        )
