"""The code of the last release, from the history of this repository."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

from tests.processes import ROOT

FILE = ROOT / "tests" / "last_release.toml"
PACKAGES = ("ops", "events", "products_project", "orders_project")
READ_BY_TESTS = "docs/events"


def unpack_last_release(directory: Path) -> Path:
    """Unpack the packages of the last release into a directory, and return it; fail in CI where git lacks it."""
    commit = tomllib.loads(FILE.read_text("utf-8"))["commit"]
    archive = ("archive", commit, *PACKAGES, READ_BY_TESTS)
    archived = _git(*archive)
    if archived.returncode:  # a shallow clone: its origin may have the commit
        _git("fetch", "--quiet", "--depth=1", "origin", commit)
        archived = _git(*archive)
    if archived.returncode:
        missing = (
            f"git has no commit {commit} here, the last release that {FILE.relative_to(ROOT)} names. "
            "Fetch it by `git fetch --unshallow`, or in a workflow by `fetch-depth: 0`. "
            f"git says: {archived.stderr.decode().strip()}"
        )
        if "CI" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as packages:
        packages.extractall(directory, filter="data")
    return directory


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, timeout=60, check=False)


def migrations_of(root: Path) -> dict[str, list[str]]:
    """Map the folder of each app to the names of its migrations, in their order."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.glob("*/*/migrations/[0-9]*.py")):
        found.setdefault(str(path.parent.parent.relative_to(root)), []).append(path.stem)
    return found
