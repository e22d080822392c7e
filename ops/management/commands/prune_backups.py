from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from ops.backups.retention import LABELS, Plan, plan
from ops.cli.arguments import add_number, counted
from ops.cli.command import OpsCommand, Result

MOST = 10_000  # of a kind to keep


class Command(OpsCommand):
    """Delete the service's old backups in a folder. Keep the newest of each of the last days, weeks and months.
    Days, ISO weeks and months are in UTC; only those with a backup count. The newest backup is always kept.

    Examples:
      manage.py prune_backups /backups --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run
      manage.py prune_backups /backups --keep-daily 7 --yes

    A file is deleted only if its name and its manifest both say that `backup` of this service made it. Damaged
    and renamed files are skipped and named; they do not count as the newest of a period.
    """

    changes = True
    destroys = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="FOLDER", type=Path)
        for rule, period in zip(LABELS, ("days", "weeks", "months"), strict=True):
            meaning = f"keep the newest of each of the last N {period}"
            add_number(parser, f"--keep-{rule}", 0, MOST, meaning=meaning, default=0)

    def perform(self, *, folder: Path, dry_run: bool, yes: bool, as_json: bool, **options: Any) -> Result:
        keep = {rule: options[f"keep_{rule}"] for rule in LABELS}
        service = settings.CONFIG.service
        if not any(keep.values()):
            raise CommandError("Say what to keep: --keep-daily, --keep-weekly or --keep-monthly.", returncode=2)
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.", returncode=2)
        chosen = plan(folder=folder, service=service, keep=keep)
        if not as_json:
            self._explain(chosen, dry_run=dry_run)
        done = list(chosen.to_delete) if dry_run else self._delete(chosen, service, yes=yes)
        stopped = len(done) < len(chosen.to_delete)
        sentence = f"{counted(len(done), 'backup')} of {service}, {len(chosen.kept)} kept"
        return Result(
            f"Would delete {sentence}. Nothing was changed."
            if dry_run
            else f"Deleted {sentence}{'; stopped by a signal' if stopped else ''}.",
            {"deleted": len(done), "kept": len(chosen.kept), "skipped": len(chosen.skipped)},
            ["stopped by a signal"] if stopped else [],
            {
                "dryRun": dry_run,
                "kept": {path.name: why for path, why in chosen.kept.items()},
                "deleted": [path.name for path in done],
                "skipped": {path.name: reason for path, reason in chosen.skipped.items()},
            },
        )

    def _explain(self, chosen: Plan, *, dry_run: bool) -> None:
        for path, reason in chosen.skipped.items():
            self.stderr.write(f"skip    {path.name}  {reason}", lambda text: text)
        if dry_run:
            for path, why in chosen.kept.items():
                self.stdout.write(f"keep    {path.name}  {', '.join(why)}")
            for path in chosen.to_delete:
                self.stdout.write(f"delete  {path.name}")

    def _delete(self, chosen: Plan, service: str, *, yes: bool) -> list[Path]:
        if chosen.to_delete:
            total = len(chosen.to_delete) + len(chosen.kept)
            self.confirm(f"This deletes {len(chosen.to_delete)} of the {total} backups of {service}.", yes=yes)
        deleted = []
        for path in chosen.to_delete:
            if self.stopping:
                break
            path.unlink(missing_ok=True)  # another run may have deleted it
            deleted.append(path)
        return deleted
