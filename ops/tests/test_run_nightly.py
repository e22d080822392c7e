"""Commands at a time of day: each is a process, and what befalls one of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

import pytest

from ops.cli import loop
from ops.management.commands import run_nightly
from ops.tests.run_command import run

MANAGE = """
import signal, sys, time
from pathlib import Path

def write(line):
    with Path(__file__).with_name("ran").open("a") as ran:
        print(line, file=ran)

def stop(*_):
    write("told to stop")
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
write(" ".join(sys.argv[1:]))
if sys.argv[1] == "wait_for":
    time.sleep(60)
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Python ends without its handler
sys.exit(7 if sys.argv[1] == "restore" else 0)
"""


@pytest.fixture(autouse=True)
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a script in place of manage.py; return the file where it writes how it was called."""
    manage = tmp_path / "manage.py"
    manage.write_text(MANAGE)
    monkeypatch.setattr(sys, "argv", [str(manage), "run_nightly"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / "ran"


def lines(ran: Path) -> list[str]:
    return ran.read_text().splitlines() if ran.exists() else []


def stop_once(ran: Path, count: int) -> threading.Thread:
    """Send this process a SIGTERM once so many commands have begun."""

    def watch() -> None:
        deadline = time.monotonic() + 30
        while len(lines(ran)) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-28T02:29:59+00:00", "2026-11-28T02:30:00+00:00"),
        ("2026-11-28T02:30:00+00:00", "2026-11-29T02:30:00+00:00"),
        ("2026-11-28T01:00:00-05:00", "2026-11-29T02:30:00+00:00"),
    ],
)
def test_the_next_run_is_the_next_moment_of_that_time_of_day(now: str, due: str) -> None:
    assert run_nightly.next_run(datetime.fromisoformat(now), time_of_day(2, 30)) == datetime.fromisoformat(due)


def test_commands_run_in_turn_and_one_that_fails_keeps_none_from_running(ran: Path) -> None:
    commands = ("backup --to '/some where'", "restore FILE", "doctor")

    code, output, errors = run(run_nightly.Command(), "--once", "--json", *commands)

    assert lines(ran) == ["backup --to /some where", "restore FILE", "doctor"]
    assert code == 1, errors
    assert '"counts": {"done": 2, "failed": 1}' in output
    assert '"problems": ["restore FILE: exit code 7"]' in output


def test_it_waits_for_the_time_of_day_and_then_for_the_next(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = [timedelta(seconds=0.2), timedelta(seconds=0.2), timedelta(days=1)]
    monkeypatch.setattr(run_nightly, "next_run", lambda now, at: now + soon.pop(0))

    stopper = stop_once(ran, 2)
    code, output, _ = run(run_nightly.Command(), "doctor")
    stopper.join()

    assert (code, lines(ran)[:2]) == (0, ["doctor", "doctor"])  # the signal may still reach the second one
    assert output == "Ran 2 commands: 2 done, 0 failed.\n"


def test_a_signal_is_passed_on_to_the_command_in_hand_and_nothing_begins_after_it(ran: Path) -> None:
    stopper = stop_once(ran, 1)
    code, _, errors = run(run_nightly.Command(), "--once", "wait_for", "doctor")
    stopper.join()

    assert (code, lines(ran)) == (1, ["wait_for", "told to stop"])
    assert errors == "Ran 1 commands: 1 done, 0 failed.\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["no_such_command"], "does not begin with a command of this service"),
        (["backup --to '/x"], "No closing quotation"),
        (["doctor", "--at", "25:00"], "is not a time of day such as 02:30"),
    ],
)
def test_a_line_that_cannot_run_is_refused_at_the_start_and_not_at_night(
    options: list[str], said: str, ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_nightly.Command().run_from_argv(["manage.py", "run_nightly", *options])

    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert lines(ran) == []


def test_it_says_that_it_is_alive_while_a_command_takes_its_time(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "BEAT_EVERY", 0.0)
    monkeypatch.setattr(run_nightly, "next_run", lambda now, at: now)

    stopper = stop_once(ran, 1)
    run(run_nightly.Command(), "wait_for")
    stopper.join()

    assert (ran.parent / "argos-heartbeat").stat().st_mtime >= ran.stat().st_mtime - 1
