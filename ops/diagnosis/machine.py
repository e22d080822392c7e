"""Checks of the machine: its disks, and the files that the service needs on them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage
from django.db import connections

from ops.config.service import ServiceConfig
from ops.diagnosis.database import is_in_memory
from ops.diagnosis.probe import failure, ok, warning

MIB = 1024 * 1024
DISK_WARNING, DISK_FAILURE = 1024 * MIB, 128 * MIB  # bytes free


def database_disk(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Look at the disk that a SQLite file is on, and whether it can be written there."""
    database = connections["default"].settings_dict
    name = str(database["NAME"])
    if not database["ENGINE"].endswith("sqlite3") or is_in_memory(name):
        yield ok("not this machine's: the database is a server's")
        return
    folder = Path(name).absolute().parent
    if not folder.is_dir():
        yield failure(f"{folder} is not a folder", "Make it, or correct DATABASE_URL.")
        return
    yield judge_disk(str(folder), shutil.disk_usage(folder).free)
    for path in (folder, Path(name)):  # SQLite makes its journal beside the file
        if path.exists() and not os.access(path, os.W_OK):
            yield failure(f"{path} cannot be written", "Give it to the user that runs the service.")


def temporary_disk(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Write a file where TMPDIR is, and look at its disk."""
    folder = tempfile.gettempdir()
    if (fault := _fault_of(folder)) is not None:
        yield failure(f"{folder}: {fault}", "Make TMPDIR a folder that this user may write.")
    else:
        yield judge_disk(folder, shutil.disk_usage(folder).free)


def judge_disk(folder: str, free: int) -> CheckMessage:
    """Judge how many bytes are free."""
    says = f"{free // MIB:,} MiB free at {folder}"
    if free >= DISK_WARNING:
        return ok(says)
    return (failure if free < DISK_FAILURE else warning)(says, "Make room, or a larger disk.")


def static_files(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Look for every file that collectstatic has written into its list."""
    if not config.is_production:
        yield ok("not needed in development")
        return
    folder = Path(str(settings.STATIC_ROOT))
    manifest = folder / "staticfiles.json"
    advice = "Run manage.py collectstatic, as the image's build does: /admin/ and /docs answer 500 without."
    try:
        files = json.loads(manifest.read_text(encoding="utf-8"))["paths"]
    except (OSError, ValueError, KeyError) as error:
        yield failure(f"{manifest} cannot be read: {getattr(error, 'strerror', None) or 'it is damaged'}", advice)
        return
    missing = [name for name in files.values() if not (folder / name).is_file()]
    if missing:
        yield failure(f"{len(missing)} of {len(files)} files are missing, such as {missing[0]}", advice)
    else:
        yield ok(f"{len(files)} files in {folder}")


def command_metrics(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Try to write where commands leave their metrics."""
    folder = config.command_metrics_dir
    if folder is None:
        yield ok("not asked for: COMMAND_METRICS_DIR is unset")
    elif (fault := _fault_of(folder)) is not None:
        yield warning(f"{folder}: {fault}", "Make COMMAND_METRICS_DIR a folder that this user may write.")
    else:
        yield ok(f"{folder} can be written")


def _fault_of(folder: str) -> str | None:
    """Return why no file can be written in the folder, if so."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"doctor")
    except OSError as error:
        return error.strerror or str(error)
    return None
