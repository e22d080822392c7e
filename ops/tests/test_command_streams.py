"""Standard output has the result, standard error messages and logs; a broken stream causes no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ops.config.service import ROOT
from ops.tests.command_processes import PROGRAM, Terminal, environment, run, started
from ops.tests.test_confirming import sentences

ROW = "a row of the result\n"


def test_progress_shows_on_a_terminal_and_the_result_still_goes_to_its_file(tmp_path: Path) -> None:
    terminal = Terminal()
    with started("count", env=environment(tmp_path), stderr=terminal.end) as process:
        output, _ = process.communicate(timeout=60)

    shown = terminal.close()
    assert output == f"{ROW}Counted.\n"
    assert "counting" in shown
    assert "100/100" in shown
    assert ROW.strip() not in shown


def test_without_a_terminal_there_is_no_progress(tmp_path: Path) -> None:
    code, output, errors = run("count", env=environment(tmp_path))

    assert (code, output, sentences(errors)) == (0, f"{ROW}Counted.\n", [])


def test_a_crash_is_one_line_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    code, output, errors = run("crash", env=environment(tmp_path, {"COMMAND_METRICS_DIR": str(tmp_path)}))

    failed, finished = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert (code, output) == (1, "")
    assert sentences(errors) == ["Unexpected ZeroDivisionError: nobody foresaw this (--traceback shows where)."]
    assert (failed["event"], failed["level"], failed["command"]) == ("command.failed", "error", "example")
    assert 'raise ZeroDivisionError("nobody foresaw this")' in failed["exception"]
    assert (finished["event"], finished["outcome"]) == ("command.finished", "failed")
    assert list(tmp_path.glob("*last_failure_timestamp_seconds.prom"))


def test_on_a_terminal_a_crash_is_one_line(tmp_path: Path) -> None:
    terminal = Terminal()
    env = environment(tmp_path, {"LOG_FORMAT": "console"})
    with started("crash", env=env, stderr=terminal.end) as process:
        process.communicate(timeout=60)

    shown = terminal.close()
    assert process.returncode == 1
    assert "Unexpected ZeroDivisionError: nobody foresaw this (--traceback shows where)." in shown
    assert "Traceback" not in shown
    assert "command.failed" not in shown


def test_traceback_shows_all_of_a_crash(tmp_path: Path) -> None:
    code, _, errors = run("crash", "--traceback", env=environment(tmp_path))

    assert code == 1
    assert errors.endswith("ZeroDivisionError: nobody foresaw this\n")
    assert "Traceback (most recent call last)" in errors


def test_a_failing_system_call_is_one_line_that_names_the_thing(tmp_path: Path) -> None:
    code, output, errors = run("stumble", env=environment(tmp_path))

    assert (code, output) == (1, "")
    assert sentences(errors) == ["/proc/nowhere: No such file or directory."]


def test_a_reader_that_goes_away_ends_it_without_a_word(tmp_path: Path) -> None:
    with started("pour", env=environment(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == ROW
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(30)

    assert process.returncode == 1
    assert sentences(errors) == []


@pytest.mark.parametrize("act", ["ask", "pour"])
def test_output_that_cannot_be_written_is_one_line(tmp_path: Path, act: str) -> None:
    with Path("/dev/full").open("w") as full:
        code, _, errors = run(act, "--yes", env=environment(tmp_path), stdout=full)

    assert code == 1
    assert len(sentences(errors)) == 1, errors
    assert "No space left on device" in errors


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1 2"])
def test_closed_streams_end_no_command(tmp_path: Path, closed: str) -> None:
    redirections = "".join(f" {number}>&-" for number in closed.split())

    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" count{redirections}', sys.executable, PROGRAM],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, sentences(done.stderr)) == (0, [])
    assert done.stdout == ("" if "1" in closed else f"{ROW}Counted.\n")


def test_a_full_standard_error_ends_no_command(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done, output, _ = run("count", env=environment(tmp_path), stderr=full)
        crashed, _, _ = run("crash", env=environment(tmp_path), stderr=full)

    assert (done, output, crashed) == (0, f"{ROW}Counted.\n", 1)


def test_what_ascii_cannot_say_is_escaped(tmp_path: Path) -> None:
    env = environment(tmp_path, {"PYTHONIOENCODING": "ascii"})

    assert run("speak", env=env)[:2] == (0, "Gl\\xfcck \\u2588.\n")
