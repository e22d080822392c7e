"""A file gets its name only when it is complete."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from ops.cli.output import open_output


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Refuse writes past a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_file_is_there_when_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"

    with open_output(str(path)) as file:
        file.write(b"one\n")
        assert names(tmp_path) == ["rows.csv.partial"]
        file.write(b"two\n")

    assert names(tmp_path) == ["rows.csv"]
    assert path.read_bytes() == b"one\ntwo\n"
    assert file.account == str(path)


def test_a_file_is_replaced_at_the_end_keeps_its_mode_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("old")
    path.chmod(0o600)

    with open_output(str(path)) as file:
        file.write(b"new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert file.account == f"{path}, in place of the file that was there"


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)

    with open_output(str(link)) as file:
        file.write(b"new")

    assert link.is_symlink()
    assert target.read_text() == "new"


def test_where_the_block_raises_nothing_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("old")

    with pytest.raises(TypeError), open_output(str(path)) as file:
        file.write("no bytes")  # type: ignore[arg-type] # on purpose

    assert names(tmp_path) == ["rows.csv"]
    assert path.read_text() == "old"


def test_what_is_unfinished_stays_beside(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"

    with open_output(str(path)) as file:
        file.write(b"some")
        file.unfinished = True

    assert names(tmp_path) == ["rows.csv.partial"]
    assert file.account == f"{path}.partial"


def test_what_a_killed_run_left_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "rows.csv.partial").write_text("longer than what comes now")

    with open_output(str(tmp_path / "rows.csv")) as file:
        file.write(b"short")

    assert names(tmp_path) == ["rows.csv"]
    assert (tmp_path / "rows.csv").read_text() == "short"


def test_two_at_once_do_not_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"

    with open_output(str(path)) as first:
        first.write(b"first")
        with pytest.raises(CommandError, match=r"Another run is writing .*rows\.csv\.partial") as refused:
            open_output(str(path)).__enter__()

    assert refused.value.returncode == 3
    assert path.read_text() == "first"


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"

    with (
        pytest.raises(OSError, match=r"rows\.csv") as full,
        files_no_larger_than(10_000),
        open_output(str(path)) as file,
    ):
        file.write(b"x" * 20_000)

    assert (full.value.errno, full.value.filename) == (errno.EFBIG, str(path))
    assert names(tmp_path) == []


def test_a_device_is_written_as_it_is() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"), open_output("/dev/full") as file:
        file.write(b"x")

    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)  # noqa: PTH116 - Path.stat is not clearer


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "Is a directory"),
        ("missing/rows.csv", "No such file or directory"),
        ("file/rows.csv", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_what_cannot_be_opened_is_wrong_usage(path: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(CommandError) as refused, open_output(str(tmp_path / path)):
        pass

    assert str(refused.value) == f"{tmp_path / path} cannot be written: {reason}."
    assert refused.value.returncode == 2


def test_a_name_that_is_too_long_is_wrong_usage(tmp_path: Path) -> None:
    with (
        pytest.raises(CommandError, match="cannot be written: File name too long"),
        open_output(str(tmp_path / ("x" * 300))),
    ):
        pass


def test_a_symbolic_link_in_the_partial_files_place_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "rows.csv.partial").symlink_to(victim)

    with pytest.raises(CommandError), open_output(str(tmp_path / "rows.csv")):
        pass

    assert victim.read_text() == "precious"
