"""A copy of what git would hand out, with the virtual environment of this run, so that nothing here is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT


def copy_checkout(directory: Path) -> Path:
    """Copy the files of this checkout, uncommitted changes included, to the directory and return it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    return directory


def link_environment(checkout: Path) -> None:
    """Give the copy the virtual environment of this run as its own, marked as if make had installed both sets."""
    programs = checkout / ".venv" / "bin"
    programs.mkdir(parents=True)
    for part in Path(sys.prefix).iterdir():
        if part.name != "bin":
            (checkout / ".venv" / part.name).symlink_to(part)
    for program in (Path(sys.prefix) / "bin").iterdir():
        if not program.name.startswith("installed"):
            (programs / program.name).symlink_to(program)
    for name in ("run", "dev"):
        shutil.copy(checkout / "requirements" / f"{name}.txt", programs / f"installed-{name}")


def processes_in(checkout: Path) -> dict[int, str]:
    """Return the processes whose working directory is the copy: their ids and command lines."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == checkout:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                found |= {int(entry.name): command} if command else {}  # one without is dead already
        except OSError:  # it has ended meanwhile
            continue
    return {pid: command for pid, command in found.items() if pid != os.getpid()}
