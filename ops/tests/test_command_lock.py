"""An exclusive command runs once at a time; after any end, the next run may start."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection

from ops.database.locks import LockHeld, command_lock
from ops.tests.command_processes import at_it, environment, run, started

HELD = re.compile(r"Another example is running: (\d+)@\S+, since (\S+Z); nothing was changed\.")


def test_a_second_run_says_who_is_at_it_and_since_when_and_exits_3(tmp_path: Path) -> None:
    env = environment(tmp_path)
    before = datetime.now(UTC).replace(microsecond=0)
    with at_it(env) as first:
        code, output, errors = run("count", env=env)
        asked = datetime.now(UTC)

    found = HELD.search(errors)
    assert (code, output) == (3, "")
    assert found, errors
    assert int(found[1]) == first.pid
    assert before <= datetime.fromisoformat(found[2]) <= asked


def test_a_dry_run_needs_no_lock(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with at_it(env):
        assert run("ask", "--dry-run", env=env)[:2] == (0, "Would destroy 2 things.\n")


def test_the_lock_is_free_again_once_a_run_has_ended_however_badly(tmp_path: Path) -> None:
    env = environment(tmp_path)

    codes = [run(act, env=env)[0] for act in ("crash", "count")]

    assert codes == [1, 0]


def test_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with at_it(env) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(10)

        assert _ends_within(10, env) == 0


def test_of_several_started_at_once_one_runs(tmp_path: Path) -> None:
    env = environment(tmp_path)
    refused: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        runs = [stack.enter_context(started("hold", env=env)) for _ in range(3)]
        while len(refused) < 2:  # the one that runs waits for its input
            refused = [process for process in runs if process.poll() is not None]
            time.sleep(0.02)
        winner = next(process for process in runs if process not in refused)
        output, _ = winner.communicate("", timeout=30)

    assert [process.returncode for process in refused] == [3, 3]
    assert (winner.returncode, output) == (0, "at it\nHeld.\n")


@pytest.mark.django_db(transaction=True)
def test_since_when_is_when_the_lock_was_taken_not_when_its_holder_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "shop.sqlite3"))
    connection.ensure_connection()
    time.sleep(1.1)
    taken = datetime.now(UTC).replace(microsecond=0)

    with command_lock("late"), ThreadPoolExecutor(1) as pool:
        refusal = pool.submit(_refusal, "late").result(30)

    since = re.search(r"since (\S+Z)", refusal)
    assert since, refusal
    assert datetime.fromisoformat(since[1]) >= taken


def _refusal(command: str) -> str:
    """Return the message of a run with another connection, as each thread has its own."""
    try:
        with command_lock(command):
            return "not refused"
    except LockHeld as held:
        return str(held)
    finally:
        connection.close()


def _ends_within(seconds: float, env: dict[str, str]) -> int:
    """Return the exit code of a run; PostgreSQL needs a moment to detect a lost client."""
    deadline = time.monotonic() + seconds
    while (code := run("count", env=env)[0]) == 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    return code


def test_the_lock_file_of_a_database_in_a_folder_that_takes_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    env = environment(tmp_path) | {"DATABASE_URL": f"sqlite:///{tmp_path}/file/shop.sqlite3"}

    code, output, errors = run("count", env=env)

    assert (code, output) == (1, "")
    assert [line for line in errors.splitlines() if not line.startswith("{")] == [f"{tmp_path}/file: File exists."]
