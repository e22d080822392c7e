"""The scripts run where git writes CRLF, and with the tools of BSD and macOS."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT

GNU_ALONE = {
    r"\bsed\b.* -i\b": "sed -i takes a suffix on BSD",
    r"\bsed\b.* -r\b": "sed -E is for both",
    r"\bsed\b.*\\[tn]": "sed knows no escapes on BSD",
    r"\bgrep\b.* -\w*P": "grep has no -P on BSD",
    r"\breadlink -f\b": "readlink has no -f on older macOS",
    r"\bdate (-d|--date)": "date has no -d on BSD",
    r"\bxargs\b.* -r\b": "xargs has no -r on older macOS",
    r"\bcp\b.* --": "cp has no long options on BSD",
    r"\bmktemp --": "mktemp has no long options on BSD",
    r"\bstat -c\b": "stat has no -c on BSD",
}


def shell_scripts() -> list[Path]:
    """Return the Makefile and every shell script, but that of the continuous integration, which is for Debian."""
    files = (path for folder in ("scripts", "alertmanager") for path in (ROOT / folder).iterdir() if path.is_file())
    shells = [path for path in files if re.match(r"#!/\S+sh\n|# shellcheck", path.read_text(encoding="utf-8"))]
    return [ROOT / "Makefile", *sorted(shells)]


def test_a_checkout_of_a_git_that_writes_crlf_holds_lf(tmp_path: Path) -> None:
    subprocess.run(
        ["git", "-c", "core.autocrlf=true", "clone", "--quiet", "--depth=1", ROOT.as_uri(), tmp_path / "argos"],
        check=True,
        capture_output=True,
    )

    found = (path for path in (tmp_path / "argos").rglob("*") if path.is_file() and ".git" not in path.parts)
    files = [path for path in found if path.suffix != ".png"]  # its first bytes hold both
    assert len(files) > 100
    assert [str(path) for path in files if b"\r\n" in path.read_bytes()] == []


@pytest.mark.parametrize("script", shell_scripts(), ids=lambda path: path.name)
def test_a_script_uses_nothing_that_bsd_tools_do_not_have(script: Path) -> None:
    text = script.read_text(encoding="utf-8")

    assert [reason for pattern, reason in GNU_ALONE.items() if re.search(pattern, text)] == []


def test_every_script_begins_with_the_one_list_of_foreign_variables() -> None:
    without = {"environment", "pytest", "secrets"}  # the list itself; what scripts/test starts; what stands alone
    scripts = [path for path in shell_scripts() if path.parent.name == "scripts" and path.name not in without]

    assert [path.name for path in scripts if '\n. "$(dirname "$0")/environment"\n' not in path.read_text()] == []
