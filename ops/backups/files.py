"""A backup as one file: a tar of manifest.json and the dump, which `tar` and the database's own tools read too.

The manifest comes first and holds the dump's size and checksum: a backup always carries its own proof.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ops.backups.manifest import Manifest, Refused
from ops.cli.output import sync_folder

CHUNK = 1 << 20
BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
LONGEST_MANIFEST = 1 << 24
MEMBERS = {"sqlite": "database.sqlite3", "postgresql": "database.pg_dump"}
UNFINISHED = ".unfinished"

OnProgress = Callable[[int], None]  # takes the bytes done, or 0; raises Stopped to end the work


@dataclass(frozen=True)
class Backup:
    """A file with a valid manifest and the right length."""

    path: Path
    manifest: Manifest
    start: int  # of the dump
    name: str  # for messages

    def chunks(self, on_progress: OnProgress) -> Iterator[bytes]:
        """Yield the dump; raise Refused at its end if any bit has changed."""
        digest, done = hashlib.sha256(), 0
        with self.path.open("rb") as file:
            file.seek(self.start)
            while chunk := file.read(min(CHUNK, self.manifest.size - done)):
                digest.update(chunk)
                done += len(chunk)
                on_progress(done)
                yield chunk
        if digest.hexdigest() != self.manifest.sha256:
            raise Refused(f"{self.name} is damaged: its checksum is not the one in its manifest.")


def write_backup(path: Path, draft: Manifest, chunks: Iterable[bytes], on_progress: OnProgress) -> Backup:
    """Write the file and sync it to the disk; fill in the dump's checksum, which the draft of the manifest lacks."""
    length = len(draft.to_json())
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        path.chmod(0o600)  # it holds password hashes
        start = file.write(_head(draft, length))
        for chunk in chunks:
            size += file.write(chunk)
            digest.update(chunk)
            on_progress(size)
        manifest = replace(draft, size=size, sha256=digest.hexdigest())
        file.write(_filler(size) + END)
        file.seek(0)
        file.write(_head(manifest, length))
        file.flush()
        os.fsync(file.fileno())
    return Backup(path, manifest, start, str(path))


def read_backup(path: Path, name: str) -> Backup:
    """Read the manifest; raise Refused if anything but the dump's own bytes has changed."""
    try:
        with path.open("rb") as file:
            length = tarfile.TarInfo.frombuf(file.read(BLOCK), "ascii", "strict").size
            if not 0 < length < LONGEST_MANIFEST:
                raise ValueError("it does not begin with a manifest")
            manifest = Manifest.from_json(file.read(length))
            head = _head(manifest, length)
            file.seek(0)
            if file.read(len(head)) != head:
                raise ValueError("its head has changed")
            file.seek(len(head) + manifest.size)
            if file.read(CHUNK) != _filler(manifest.size) + END:
                raise ValueError("its end is missing or has changed")
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror}.", returncode=2) from None
    except (tarfile.TarError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(f"{name} is damaged or not a backup: {error}.") from None
    return Backup(path, manifest, len(head), name)


def publish(backup: Backup, folder: Path) -> Path:
    """Give the finished file its name, in one step that survives a power cut."""
    path = folder / backup.manifest.file_name
    if path.exists():
        raise Refused(f"{path} exists already and was not changed.")
    backup.path.replace(path)
    sync_folder(folder)
    return path


def spool(descriptor: int, path: Path, on_progress: OnProgress) -> None:
    """Copy a pipe into a file: all of it is validated before the database changes."""
    done = 0
    with path.open("xb") as file:
        path.chmod(0o600)
        while chunk := os.read(descriptor, CHUNK):
            done += file.write(chunk)
            on_progress(done)


def stream_to(path: Path, descriptor: int, on_progress: OnProgress) -> None:
    """Copy a file to a descriptor, such as a pipe."""
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            rest = memoryview(chunk)
            while rest:
                written = os.write(descriptor, rest)
                rest, done = rest[written:], done + written
                on_progress(done)


@contextmanager
def open_workspace(folder: Path, service: str) -> Iterator[Path]:
    """Yield a hidden folder for unfinished files and remove it in the end; remove those of killed runs first."""
    for abandoned in folder.glob(f".{service}-*{UNFINISHED}"):
        with suppress(OSError), _locked(abandoned):  # a live run holds its own
            shutil.rmtree(abandoned)
    path = None
    try:
        path = Path(tempfile.mkdtemp(UNFINISHED, f".{service}-", folder))
        with _locked(path):
            yield path
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, for one, names no file
        raise Refused(f"{folder}: {error.strerror}; nothing was changed.") from error
    finally:
        if path is not None:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _head(manifest: Manifest, length: int) -> bytes:
    """Return everything before the dump; blanks fill the manifest up to the length of its draft."""
    text = manifest.to_json().ljust(length)
    moment = int(manifest.moment.timestamp())
    return (
        _tar_header("manifest.json", length, moment)
        + text
        + _filler(length)
        + _tar_header(MEMBERS[manifest.vendor], manifest.size, moment)
    )


def _tar_header(name: str, size: int, moment: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, moment, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def _filler(size: int) -> bytes:
    return bytes(-size % BLOCK)
