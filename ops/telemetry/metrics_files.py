"""The files that hold the metrics of several worker processes.

`prometheus_client` maps its files into memory. On a full disk a write to such a page ends the process by SIGBUS, so the
space is taken first. A file without space moves into memory: its metrics are lost to `/metrics`, the service is not.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib
import mmap
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import prometheus_client.values
import structlog
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.registry import Collector

log = structlog.get_logger("ops.telemetry.metrics_files")

FIRST_SIZE = 1 << 16  # the library's own
ROOM = 64  # bytes beside the key, more than the library needs
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
LOCK = "lock"


class SpaceFirst(MmapedDict):
    """Take the space of a file before it is mapped; go on in memory where there is none."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._is_in_memory = not read_mode and not _take_space(filename, FIRST_SIZE)
        if not self._is_in_memory:
            super().__init__(filename, read_mode)
            return
        memory = _memory()
        super().__init__(f"/proc/self/fd/{memory}", read_mode)
        os.close(memory)

    def _init_value(self, key: str) -> None:
        size = self._capacity
        while size < self._used + len(key.encode()) + ROOM:
            size *= 2
        if size > self._capacity and not self._is_in_memory and not _take_space(self._fname, size):
            self._move_into_memory()
        super()._init_value(key)

    def _move_into_memory(self) -> None:
        self._is_in_memory = True
        content = self._m[: self._used]
        self.close()
        self._f: Any = os.fdopen(_memory(), "a+b")
        self._f.truncate(self._capacity)
        self._m: Any = mmap.mmap(self._f.fileno(), self._capacity)
        self._m[: len(content)] = content


def install() -> None:
    """Have the library keep its values so, in this process and the workers that it forks."""
    prometheus_client.values.MmapedDict = SpaceFirst  # type: ignore[attr-defined] # it is there


@contextlib.contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """Keep the files from being merged while they are read."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


def merge_dead(folder: Path, pid: int) -> None:
    """Add the counts of a dead worker to those of all dead ones, and remove its files; keep them where space lacks."""
    with _locked(folder, fcntl.LOCK_EX):
        for kind in ("counter", "histogram", "summary"):
            if (dead := folder / f"{kind}_{pid}.db").exists():
                with contextlib.suppress(OSError):
                    _merge(dead, folder / f"{kind}_dead.db")


def _merge(dead: Path, total: Path) -> None:
    """Replace the total in one step, so that a failure counts nothing twice."""
    sums: dict[str, float] = {}
    for path in filter(Path.exists, (total, dead)):
        for key, value, _, _ in MmapedDict.read_all_values_from_file(path):
            sums[key] = sums.get(key, 0) + value
    new = total.with_suffix(".new")
    new.unlink(missing_ok=True)
    size = FIRST_SIZE
    while size < 8 + sum(len(key.encode()) + 32 for key in sums):
        size *= 2
    if not _take_space(str(new), size):
        new.unlink(missing_ok=True)
        return
    file = MmapedDict(str(new))
    for key, value in sums.items():
        file.write_value(key, value, 0)
    file.close()
    new.replace(total)
    dead.unlink()


@contextlib.contextmanager
def _locked(folder: Path, operation: int) -> Iterator[None]:
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, operation)
        yield
    finally:
        os.close(lock)


def _take_space(path: str, size: int) -> bool:
    """Allocate the file's space; return False and say so where there is none."""
    try:
        with Path(path).open("a+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in NO_SPACE:
            with contextlib.suppress(OSError):
                if not Path(path).stat().st_size:  # the library fails to read an empty file
                    Path(path).unlink()
            LostFiles.count += 1
            # In a thread, as the library holds its lock here, and a log line is counted.
            threading.Thread(target=_say_so, daemon=True).start()
            return False
    return True


def _memory() -> int:
    return os.memfd_create("argos-metrics")


def _say_so() -> None:
    importlib.import_module("ops.telemetry.metrics")  # wait for it: it may be making its files, and counts log lines
    log.error("metrics.no_space", folder=os.environ.get("PROMETHEUS_MULTIPROC_DIR"))


class LostFiles(Collector):
    """Report the files that went into memory: not by a file, as it may be one of them."""

    count = 0  # of this worker; a disk is full for all of them

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "metrics_files_lost", "Files of the answering worker's metrics that its disk had no space for.", self.count
        )
