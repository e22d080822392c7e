"""A backup as one file: a tar of manifest.json and the dump, so that `tar` and the database's own tools read it too.

The manifest comes first and holds the dump's size and checksum, so nothing can be separated from what proves it whole.
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

CHUNK = 1 << 20
BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
LONGEST_MANIFEST = 1 << 24
MEMBERS = {"sqlite": "database.sqlite3", "postgresql": "database.pg_dump"}
UNFINISHED = ".unfinished"

Look = Callable[[int], None]  # told how many bytes are done, or 0; raises Stopped to end the work


@dataclass(frozen=True)
class Backup:
    """A file whose manifest is sound and whose length is right."""

    path: Path
    manifest: Manifest
    start: int  # of the dump
    name: str  # for messages

    def chunks(self, look: Look) -> Iterator[bytes]:
        """Yield the dump; raise Refused at its end if a single bit of it has changed."""
        digest, done = hashlib.sha256(), 0
        with self.path.open("rb") as file:
            file.seek(self.start)
            while chunk := file.read(min(CHUNK, self.manifest.size - done)):
                digest.update(chunk)
                done += len(chunk)
                look(done)
                yield chunk
        if digest.hexdigest() != self.manifest.sha256:
            raise Refused(f"{self.name} is damaged: its checksum is not the one in its manifest.")


def write_backup(path: Path, draft: Manifest, chunks: Iterable[bytes], look: Look) -> Backup:
    """Write the file and bring it to the disk; the draft becomes the manifest once the dump's checksum is known."""
    room = len(draft.to_json())
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        path.chmod(0o600)  # it holds password hashes
        start = file.write(_head(draft, room))
        for chunk in chunks:
            size += file.write(chunk)
            digest.update(chunk)
            look(size)
        manifest = replace(draft, size=size, sha256=digest.hexdigest())
        file.write(_filler(size) + END)
        file.seek(0)
        file.write(_head(manifest, room))
        file.flush()
        os.fsync(file.fileno())
    return Backup(path, manifest, start, str(path))


def read_backup(path: Path, name: str) -> Backup:
    """Read the manifest; raise Refused unless all of the file but the dump's own bytes is as it was written."""
    try:
        with path.open("rb") as file:
            room = tarfile.TarInfo.frombuf(file.read(BLOCK), "ascii", "strict").size
            if not 0 < room < LONGEST_MANIFEST:
                raise ValueError("it does not begin with a manifest")
            manifest = Manifest.from_json(file.read(room))
            head = _head(manifest, room)
            file.seek(0)
            if file.read(len(head)) != head:
                raise ValueError("its head has changed")
            file.seek(len(head) + manifest.size)
            if file.read(CHUNK) != _filler(manifest.size) + END:
                raise ValueError("its end is missing or has changed")
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror}.", returncode=2) from None
    except (tarfile.TarError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(f"{name} is damaged or no backup: {error}.") from None
    return Backup(path, manifest, len(head), name)


def publish(backup: Backup, folder: Path) -> Path:
    """Give the finished file its name, in one step that outlasts a power cut."""
    path = folder / backup.manifest.file_name
    if path.exists():
        raise Refused(f"{path} exists already; it was left as it is.")
    backup.path.replace(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path


def spool(descriptor: int, path: Path, look: Look) -> None:
    """Copy what a pipe brings into a file, as it is judged whole before anything is touched."""
    done = 0
    with path.open("xb") as file:
        path.chmod(0o600)
        while chunk := os.read(descriptor, CHUNK):
            done += file.write(chunk)
            look(done)


def pour(path: Path, descriptor: int, look: Look) -> None:
    """Copy a file to a pipe, or to wherever standard output leads."""
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            rest = memoryview(chunk)
            while rest:
                written = os.write(descriptor, rest)
                rest, done = rest[written:], done + written
                look(done)


@contextmanager
def workspace(folder: Path, service: str) -> Iterator[Path]:
    """Yield a hidden folder for what is not finished, removed in the end; remove those that killed runs have left."""
    for left in folder.glob(f".{service}-*{UNFINISHED}"):
        with suppress(OSError), _locked(left):  # which a run that lives would hold
            shutil.rmtree(left)
    path = None
    try:
        path = Path(tempfile.mkdtemp(UNFINISHED, f".{service}-", folder))
        with _locked(path):
            yield path
    except BrokenPipeError:
        raise
    except OSError as error:  # such as a full disk, which names no file
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


def _head(manifest: Manifest, room: int) -> bytes:
    """Return all that comes before the dump; blanks fill the room that the draft took."""
    text = manifest.to_json().ljust(room)
    moment = int(manifest.moment.timestamp())
    return (
        _tar_header("manifest.json", room, moment)
        + text
        + _filler(room)
        + _tar_header(MEMBERS[manifest.vendor], manifest.size, moment)
    )


def _tar_header(name: str, size: int, moment: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, moment, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def _filler(size: int) -> bytes:
    return bytes(-size % BLOCK)
