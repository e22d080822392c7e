"""Metrics of several workers: a full disk costs metrics only, and what died leaves no files."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ops.server import metrics_folder
from ops.telemetry import metrics_files
from ops.telemetry.metrics_files import SpaceFirst, merge_dead


def content(path: Path) -> dict[str, float]:
    return {key: value for key, value, _, _ in SpaceFirst.read_all_values_from_file(path)}


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write(path: Path, values: dict[str, float]) -> None:
    file = SpaceFirst(str(path))
    for key, value in values.items():
        file.write_value(key, value, 0)
    file.close()


def test_the_space_of_a_file_is_taken_before_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    values = {f"{number}{'k' * 500}": float(number) for number in range(500)}

    write(path, values)

    assert content(path) == values
    assert path.stat().st_blocks * 512 >= path.stat().st_size


def test_without_space_from_the_start_values_are_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", full)
    file = SpaceFirst(str(tmp_path / "counter_1.db"))

    for number in range(500):
        file.write_value(f"{number}{'k' * 500}", 1.5, 0)

    assert file.read_value(f"499{'k' * 500}")[0] == 1.5
    file.close()


def test_a_file_that_cannot_grow_moves_into_memory_with_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(metrics_files, "_say_so", lambda: said.append("said"))
    file = SpaceFirst(str(tmp_path / "counter_1.db"))
    file.write_value("early", 2.5, 0)
    monkeypatch.setattr(os, "posix_fallocate", full)

    for number in range(500):
        file.write_value(f"{number}{'k' * 500}", 1.5, 0)

    assert (file.read_value("early")[0], file.read_value(f"499{'k' * 500}")[0]) == (2.5, 1.5)
    assert said
    file.close()


def test_the_counts_of_dead_workers_are_merged_into_one_file(tmp_path: Path) -> None:
    for pid, values in {1: {"a": 1.0, "b": 2.0}, 2: {"a": 10.0}, 3: {"a": 100.0}}.items():
        write(tmp_path / f"counter_{pid}.db", values)

    merge_dead(tmp_path, 1)
    merge_dead(tmp_path, 2)

    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["counter_3.db", "counter_dead.db"]
    assert content(tmp_path / "counter_dead.db") == {"a": 11.0, "b": 2.0}


def test_without_space_to_merge_the_file_of_a_dead_worker_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "counter_1.db", {"a": 1.0})
    monkeypatch.setattr(os, "posix_fallocate", full)

    merge_dead(tmp_path, 1)

    assert [path.name for path in tmp_path.glob("*.db")] == ["counter_1.db"]


def test_the_folder_of_a_killed_master_is_removed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "from ops.server import metrics_folder; print(metrics_folder.make('shop'), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as master:
        assert master.stdout is not None
        theirs = Path(master.stdout.readline().strip())
        first = metrics_folder.make("shop")
        assert theirs.exists()
        master.kill()

    second = metrics_folder.make("shop")

    assert not theirs.exists()
    assert first.exists()
    assert second.exists()


def test_shared_memory_stands_in_where_the_temporary_folder_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(metrics_folder, "SHARED_MEMORY", str(tmp_path))

    assert metrics_folder.make("shop").parent == tmp_path


def test_without_any_folder_the_server_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_folder, "_places", lambda: iter([str(tmp_path / "missing")]))

    with pytest.raises(SystemExit, match="set TMPDIR, or WEB_CONCURRENCY=1"):
        metrics_folder.make("shop")


def test_a_scrape_waits_for_a_merge(tmp_path: Path) -> None:
    with metrics_files.unchanged(tmp_path):
        lock = os.open(tmp_path / metrics_files.LOCK, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(lock)
