from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from ops.backups.restore import validated
from ops.cli.command import OpsCommand, Result
from ops.identity.models import SigningKey


class Command(OpsCommand):
    """Replace the service's database by a backup, in one transaction.
    Refuses a backup of another service or kind of database, a damaged file and a schema newer than the release.
    Asks first, or needs --yes, if the database holds more than a fresh migrate makes.

    Examples:
      manage.py restore /backups/orders-service_v1.2.0_orders.0001_20261120T103000Z.backup --dry-run
      manage.py restore orders.backup --yes
      ssh vault 'cat orders.backup' | manage.py restore - --yes

    Web processes may go on: they see the old data or the new; on PostgreSQL they wait meanwhile. Owners and
    grants are not restored. After an older schema, run migrate. A run that fails or is killed changes nothing.
    Keys of access tokens that were revoked since come back: run rotate_keys --revoke then.
    """

    changes = True
    destroys = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a file made by `backup`; - is standard input")

    def perform(self, *, file: str, dry_run: bool, yes: bool, **options: Any) -> Result:
        with ExitStack() as stack:
            with self.byte_progress("checking") as on_progress:
                found = stack.enter_context(
                    validated(config=settings.CONFIG, file=file, locked=not dry_run, on_progress=on_progress)
                )
            manifest = found.backup.manifest
            if not dry_run:
                if found.rows_replaced:
                    self.confirm(
                        f"This replaces {found.rows_replaced} rows of {manifest.service} by {manifest.rows}.", yes=yes
                    )
                with self.byte_progress("restoring") as on_progress:
                    found.restore(on_progress)
        sentence = (
            f"{'Would restore' if dry_run else 'Restored'} {manifest.rows} rows of {len(manifest.tables)} tables in "
            f"place of {found.rows_replaced}, as they were at {manifest.created} under version {manifest.version}."
        )
        if found.pending:
            sentence += f" Then run `manage.py migrate`: {len(found.pending)} migrations of this release are newer."
        name = SigningKey._meta.db_table  # noqa: SLF001 - Django documents it
        keys = sum(each.rows for table, each in manifest.tables.items() if table.rpartition(".")[2] == name)
        if keys and not settings.CONFIG.jwt_issuer:
            sentence += (
                " It has the keys of access tokens of then: if one was revoked since, run `rotate_keys --revoke`."
            )
        return Result(
            sentence + (" Nothing was changed." if dry_run else ""),
            {"tables": len(manifest.tables), "rows": manifest.rows, "replaced": found.rows_replaced},
            details={"dryRun": dry_run, "created": manifest.created, "pendingMigrations": found.pending},
        )
