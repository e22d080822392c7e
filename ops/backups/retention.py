"""Choose the backups to keep: the newest of each of the last days, weeks and months that have one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ops.backups.files import Backup, read_backup
from ops.backups.manifest import FILE_NAME, Refused

LABELS = {"daily": "%Y-%m-%d", "weekly": "%G-W%V", "monthly": "%Y-%m"}  # ISO weeks


@dataclass(frozen=True)
class Plan:
    """Sort the files of a folder: those to keep and to skip with the reason, and those to delete."""

    kept: dict[Path, list[str]]
    to_delete: list[Path]
    skipped: dict[Path, str]


def plan(*, folder: Path, service: str, keep: dict[str, int]) -> Plan:
    """Plan for the service's own backups of a folder; skip damaged and renamed ones."""
    own: list[Backup] = []
    skipped = {}
    for path in sorted(path for path in folder.iterdir() if FILE_NAME.fullmatch(path.name)):
        try:
            backup = read_backup(path, str(path))
        except Refused as reason:
            skipped[path] = str(reason)
            continue
        if backup.manifest.service != service:  # another service prunes its own
            continue
        if backup.manifest.file_name == path.name:
            own.append(backup)
        else:
            skipped[path] = "renamed"
    moments = {backup.path: backup.manifest.moment for backup in own}
    kept = reasons(moments, keep)
    return Plan(kept, [path for path in sorted(moments) if path not in kept], skipped)


def reasons(moments: dict[Path, datetime], keep: dict[str, int]) -> dict[Path, list[str]]:
    """Map each backup to keep to its reasons; the newest is always one of them."""
    newest_first = sorted(moments, key=lambda path: (moments[path], path), reverse=True)
    kept: dict[Path, list[str]] = {path: ["newest"] for path in newest_first[:1]}
    for rule, count in keep.items():
        first: dict[str, Path] = {}
        for path in newest_first:
            first.setdefault(moments[path].strftime(LABELS[rule]), path)
        for label, path in list(first.items())[:count]:
            kept.setdefault(path, []).append(f"{rule} {label}")
    return {path: kept[path] for path in newest_first if path in kept}
