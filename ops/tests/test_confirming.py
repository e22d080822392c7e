"""A destructive command asks on a terminal and refuses without one, except with --yes or --dry-run."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from ops.tests.command_processes import Terminal, environment, run, started

QUESTION = "This destroys 2 things. Type yes to go on: "


def sentences(errors: str) -> list[str]:
    """Return standard error without log lines."""
    return [line for line in errors.splitlines() if not line.startswith("{")]


@pytest.mark.parametrize("options", [("--yes",), ("--dry-run",)])
def test_yes_and_a_dry_run_ask_nothing(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, output, errors = run("ask", *options, env=environment(tmp_path), stdin=subprocess.DEVNULL)

    assert (code, sentences(errors)) == (0, [])
    assert output == ("Destroyed 2 things.\n" if options == ("--yes",) else "Would destroy 2 things.\n")


def test_without_a_terminal_it_refuses_and_names_the_option(tmp_path: Path) -> None:
    code, output, errors = run("ask", env=environment(tmp_path))

    assert (code, output) == (2, "")
    assert sentences(errors) == ["This destroys 2 things. Give --yes to go on without being asked."]


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("yes\n", 0, "Destroyed 2 things."),
        ("y\n", 1, "Not confirmed; nothing was changed."),
        ("\x04", 1, "Not confirmed; nothing was changed."),  # Ctrl-D
    ],
)
def test_on_a_terminal_it_asks_and_takes_nothing_but_yes(tmp_path: Path, typed: str, code: int, said: str) -> None:
    terminal = Terminal()
    with started("ask", env=environment(tmp_path), stdin=terminal.end, stderr=terminal.end) as process:
        terminal.read_until(QUESTION)
        terminal.type(typed)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == code
    assert said in output + terminal.close()


def test_one_ctrl_c_ends_the_asking(tmp_path: Path) -> None:
    terminal = Terminal()
    with started("ask", env=environment(tmp_path), stdin=terminal.end, stderr=terminal.end) as process:
        terminal.read_until(QUESTION)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)

    assert (process.returncode, output) == (1, "")
    assert "Stopped by a signal; nothing was changed." in terminal.close()
