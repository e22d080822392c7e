"""The file of a backup is read back, and any added, missing or changed bit is refused."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.backups.files import Backup, open_workspace, publish, read_backup, stream_to, write_backup
from ops.backups.manifest import Manifest, Refused, Table

DUMP = bytes(range(256)) * 5 + b"the end"
SHARED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def manifest(**changes: Any) -> Manifest:
    known: dict[str, Any] = {
        "service": "plain-service",
        "version": "v1.2.0",
        "created": "2026-11-20T10:30:00Z",
        "vendor": "sqlite",
    }
    return Manifest(
        **(known | changes),
        server="3.40.1",
        state="plain.0001",
        migrations=("plain.0001_initial",),
        tables={"plain": Table(2, "ab")},
    )


def on_progress(done: int) -> None:
    """Continue."""


def write(folder: Path, dump: bytes = DUMP) -> Backup:
    return write_backup(folder / "new.backup", manifest(), [dump[:700], dump[700:]], on_progress)


def judge(path: Path) -> bytes:
    backup = read_backup(path, path.name)
    return b"".join(backup.chunks(on_progress))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written = write(tmp_path)

    assert judge(written.path) == DUMP
    assert read_backup(written.path, "it").manifest == written.manifest
    assert written.manifest.size == len(DUMP)
    assert written.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513])
def test_a_dump_may_have_any_size(tmp_path: Path, size: int) -> None:
    assert judge(write(tmp_path, bytes(size)).path) == bytes(size)


def test_tar_reads_it_too(tmp_path: Path) -> None:
    path = write(tmp_path).path

    with tarfile.open(path) as archive:
        names = archive.getnames()
        dump = archive.extractfile("database.sqlite3")
        assert dump is not None
        assert dump.read() == DUMP
    said = subprocess.run(["tar", "-xOf", path, "manifest.json"], capture_output=True, check=True)
    assert names == ["manifest.json", "database.sqlite3"]
    assert json.loads(said.stdout)["service"] == "plain-service"
    assert said.stderr == b""


def test_its_name_says_whose_it_is_and_when_it_was_made() -> None:
    assert manifest().file_name == "plain-service_v1.2.0_plain.0001_20261120T103000Z.backup"


@given(data=st.data())
@SHARED
def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path, data: st.DataObject) -> None:
    whole = (tmp_path / "new.backup").read_bytes() if (tmp_path / "new.backup").exists() else b""
    whole = whole or write(tmp_path).path.read_bytes()
    place = data.draw(st.integers(0, len(whole) * 8 - 1))
    flipped = bytearray(whole)
    flipped[place // 8] ^= 1 << place % 8
    path = tmp_path / "flipped.backup"
    path.write_bytes(flipped)

    with pytest.raises(Refused, match=r"^flipped.backup is damaged"):
        judge(path)


@given(data=st.data())
@SHARED
def test_a_file_that_ends_early_or_late_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = (tmp_path / "new.backup").read_bytes() if (tmp_path / "new.backup").exists() else b""
    whole = whole or write(tmp_path).path.read_bytes()
    path = tmp_path / "other.backup"
    path.write_bytes(
        data.draw(
            st.sampled_from([whole + b"\0", whole + b"x"])
            | st.integers(0, len(whole) - 1).map(lambda length: whole[:length])
        )
    )

    with pytest.raises(Refused, match=r"^other.backup is damaged"):
        judge(path)


@given(content=st.binary(max_size=2000))
@SHARED
def test_anything_else_is_no_backup(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.backup"
    path.write_bytes(content)

    with pytest.raises(Refused, match="is damaged or not a backup"):
        read_backup(path, "any.backup")


def test_a_manifest_of_a_later_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit its seal"):
        Manifest.from_json(manifest().to_json().replace(b'"format": 1', b'"format": 2'))


def test_it_gets_its_name_in_one_step_and_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    path = publish(write(tmp_path / "room"), tmp_path)

    with pytest.raises(Refused, match="exists already"):
        publish(write(tmp_path / "room"), tmp_path)
    assert judge(path) == DUMP


def test_a_copy_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    path = write(tmp_path).path
    with (tmp_path / "copy").open("wb") as copy:
        stream_to(path, copy.fileno(), on_progress)

    assert (tmp_path / "copy").read_bytes() == path.read_bytes()


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(tmp_path: Path) -> None:
    (tmp_path / ".plain-service-killed.unfinished").mkdir()
    (tmp_path / ".plain-service-killed.unfinished" / "backup").write_text("half")
    (tmp_path / ".other-service-killed.unfinished").mkdir()

    with open_workspace(tmp_path, "plain-service") as one, open_workspace(tmp_path, "plain-service") as two:
        left = {path.name for path in tmp_path.iterdir()}

    assert left == {one.name, two.name, ".other-service-killed.unfinished"}
    assert [path.name for path in tmp_path.iterdir()] == [".other-service-killed.unfinished"]
