"""Standard output is for the result, standard error for people and logs; neither breaking is a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.tests.command_processes import Terminal, environment, run, started
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


def test_a_crash_keeps_its_traceback_and_counts_as_failed_in_log_and_metrics(tmp_path: Path) -> None:
    code, output, errors = run("crash", env=environment(tmp_path, {"COMMAND_METRICS_DIR": str(tmp_path)}))

    (line,) = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert (code, output) == (1, "")
    assert errors.endswith("ZeroDivisionError: nobody foresaw this\n")
    assert (line["event"], line["command"], line["outcome"]) == ("command.finished", "example", "failed")
    assert 'outcome="failed"' in (tmp_path / "plain-service-example.prom").read_text()


def test_a_failing_system_call_is_one_line_that_names_the_thing(tmp_path: Path) -> None:
    code, output, errors = run("stumble", env=environment(tmp_path))

    assert (code, output) == (1, "")
    assert sentences(errors) == ["/proc/nowhere: No such file or directory."]


def test_a_reader_that_goes_away_ends_it_with_one_line(tmp_path: Path) -> None:
    with started("pour", env=environment(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == ROW
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(30)

    assert process.returncode == 1
    assert sentences(errors) == ["Nobody reads the output any more."]


@pytest.mark.parametrize("act", ["ask", "pour"])
def test_output_that_cannot_be_written_is_one_line(tmp_path: Path, act: str) -> None:
    with Path("/dev/full").open("w") as full:
        code, _, errors = run(act, "--yes", env=environment(tmp_path), stdout=full)

    assert code == 1
    assert len(sentences(errors)) == 1, errors
    assert "No space left on device" in errors
