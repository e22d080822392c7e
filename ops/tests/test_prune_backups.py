"""prune_backups deletes only its own service's valid backups that no rule keeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.backups.files import write_backup
from ops.backups.retention import LABELS, reasons
from ops.management.commands.prune_backups import Command
from ops.tests.run_command import run
from ops.tests.test_backup_file import manifest

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
MOMENTS = st.lists(st.integers(0, 3 * 365 * 24), max_size=60, unique=True).map(
    lambda hours: {Path(str(hour)): NOW - timedelta(hours=hour) for hour in hours}
)


def add(folder: Path, *, days_ago: float, service: str = "plain-service") -> Path:
    created = (NOW - timedelta(days=days_ago)).isoformat(timespec="seconds")
    draft = manifest(service=service, created=created)
    return write_backup(folder / draft.file_name, draft, [b"dump"], lambda done: None).path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two backups a day for 40 days."""
    for half_days in range(80):
        add(tmp_path, days_ago=half_days / 2)
    return tmp_path


def test_it_keeps_the_newest_of_each_of_the_last_days_weeks_and_months(folder: Path) -> None:
    code, output, _ = run(
        Command(), str(folder), "--keep-daily", "3", "--keep-weekly", "2", "--keep-monthly", "2", "--yes"
    )

    assert (code, output) == (0, "Deleted 75 backups of plain-service, 5 kept.\n")
    assert sorted(name.split("_")[3] for name in names(folder)) == [
        "20261031T223000Z.backup",
        "20261115T223000Z.backup",
        "20261118T223000Z.backup",
        "20261119T223000Z.backup",
        "20261120T103000Z.backup",
    ]


def test_a_second_run_deletes_nothing_and_needs_no_yes(folder: Path) -> None:
    run(Command(), str(folder), "--keep-daily", "3", "--yes")

    assert run(Command(), str(folder), "--keep-daily", "3") == (0, "Deleted 0 backups of plain-service, 3 kept.\n", "")


def test_without_yes_and_a_terminal_it_deletes_nothing(folder: Path) -> None:
    before = names(folder)

    code, _, errors = run(Command(), str(folder), "--keep-daily", "3")

    assert code == 2
    assert errors.startswith("This deletes 77 of the 80 backups of plain-service. Give --yes")
    assert names(folder) == before


def test_a_dry_run_says_what_is_kept_and_why(tmp_path: Path) -> None:
    new, old = add(tmp_path, days_ago=0), add(tmp_path, days_ago=0.2)

    code, output, _ = run(Command(), str(tmp_path), "--keep-daily", "9", "--keep-weekly", "1", "--dry-run")

    assert code == 0
    assert output.splitlines() == [
        f"keep    {new.name}  newest, daily 2026-11-20, weekly 2026-W47",
        f"delete  {old.name}",
        "Would delete 1 backup of plain-service, 1 kept. Nothing was changed.",
    ]
    assert names(tmp_path) == {new.name, old.name}


def test_with_json_it_says_the_same(tmp_path: Path) -> None:
    new, old = add(tmp_path, days_ago=0), add(tmp_path, days_ago=0.2)

    _, output, _ = run(Command(), str(tmp_path), "--keep-monthly", "1", "--json", "--yes")

    document = json.loads(output)
    assert document["kept"] == {new.name: ["newest", "monthly 2026-11"]}
    assert document["deleted"] == [old.name]
    assert document["counts"] == {"deleted": 1, "kept": 1, "skipped": 0}


def test_it_leaves_alone_what_it_does_not_recognise(tmp_path: Path) -> None:
    add(tmp_path, days_ago=0)
    old = add(tmp_path, days_ago=1)
    damaged, foreign = add(tmp_path, days_ago=2), add(tmp_path, days_ago=3, service="other-service")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    renamed = add(tmp_path, days_ago=4)
    renamed = renamed.rename(tmp_path / renamed.name.replace("v1.2.0", "before-upgrade"))
    copy = tmp_path / "before-the-move.backup"
    copy.write_bytes(old.read_bytes())
    before = names(tmp_path)

    code, output, errors = run(Command(), str(tmp_path), "--keep-daily", "1", "--yes")

    assert (code, output) == (0, "Deleted 1 backup of plain-service, 1 kept.\n")
    assert before - names(tmp_path) == {old.name}
    assert f"{damaged.name}  {damaged} is damaged or not a backup" in errors
    assert foreign.name not in errors
    assert f"{renamed.name}  renamed" in errors


def test_a_damaged_newest_one_does_not_cost_the_last_sound_one(tmp_path: Path) -> None:
    newest, sound = add(tmp_path, days_ago=0), add(tmp_path, days_ago=0.1)
    newest.write_bytes(b"")

    run(Command(), str(tmp_path), "--keep-daily", "1", "--yes")

    assert names(tmp_path) == {newest.name, sound.name}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Say what to keep"),
        (("--keep-daily", "0"), "Say what to keep"),
        (("--keep-daily", "-1"), "not a whole number from 0 to 10000"),
        (("--keep-daily", "many"), "not a whole number from 0 to 10000"),
    ],
)
def test_a_rule_that_keeps_nothing_is_refused(folder: Path, options: tuple[str, ...], said: str) -> None:
    before = names(folder)

    try:
        code, _, errors = run(Command(), str(folder), "--yes", *options)
    except Exception as error:  # noqa: BLE001 - call_command raises where the command line exits
        code, errors = 2, str(error)

    assert code == 2
    assert said in errors
    assert names(folder) == before


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    code, _, errors = run(Command(), str(tmp_path / "gone"), "--keep-daily", "1", "--yes")

    assert (code, errors) == (2, f"{tmp_path / 'gone'} is not a folder.\n")


@given(moments=MOMENTS, daily=st.integers(0, 9), weekly=st.integers(0, 9), monthly=st.integers(0, 9))
def test_whatever_the_backups_and_the_rules(
    moments: dict[Path, datetime], daily: int, weekly: int, monthly: int
) -> None:
    keep = {"daily": daily, "weekly": weekly, "monthly": monthly}

    kept = reasons(moments, keep)

    assert bool(kept) == bool(moments)  # never the last one
    assert set(kept) <= set(moments)
    assert reasons({path: moments[path] for path in kept}, keep) == kept  # a second run deletes nothing
    for rule, count in keep.items():
        periods = sorted({moment.strftime(LABELS[rule]) for moment in moments.values()}, reverse=True)
        for period in periods[:count]:
            newest = max(moment for moment in moments.values() if moment.strftime(LABELS[rule]) == period)
            assert f"{rule} {period}" in next(kept[path] for path in moments if moments[path] == newest)
        assert sum(rule in reason for why in kept.values() for reason in why) == len(periods[:count])
