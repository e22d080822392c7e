"""A process has one role, which is decided before anything reads it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ops.config.service import ROOT

DECIDE = "from ops.config.role import Role, current, decide; "


def said(program: str) -> str:
    """Return the last line that a process of its own prints, as a role lasts as long as its process."""
    done = subprocess.run(
        [sys.executable, "-c", DECIDE + program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return (done.stdout + done.stderr).splitlines()[-1]


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ("print(current())", "web"),
        ("decide(Role.WORKER); decide(Role.WORKER); print(current())", "worker"),
        (
            "decide(Role.COMMAND); decide(Role.WEB)",
            "RuntimeError: The role of this process is command already; it cannot become web.",
        ),
        (
            "current(); decide(Role.COMMAND)",
            "RuntimeError: The role of this process is web already; it cannot become command.",
        ),
    ],
)
def test_it_is_web_unless_decided_and_never_changes(program: str, printed: str) -> None:
    assert said(program) == printed
