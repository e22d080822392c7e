"""The last release's own tests pass on the schema that this code's migrations make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.last_release import unpack_last_release
from tests.processes import clean_environment, database, manage

# The database of pytest-django's tests is the migrated one itself.
SETTINGS = """\
from {project}.settings import *

DATABASES["default"]["TEST"] = {{"NAME": DATABASES["default"]["NAME"]}}
"""
LEFT_OUT = {  # files of the last release
    "test_migrations.py": "it undoes its own migrations, and the new ones stand on these; a way back undoes them first",
    "test_every_route.py": "it sends hostile requests, and takes as long as all the others",
    "test_openapi.py": "it is about a document",
    "test_smoke.py": "it is about both services behind a script",
    "test_products_failures.py": "it waits for a products that fails",
    "test_products_under_load.py": "it is about a client of HTTP",
    "test_products_breaker.py": "likewise",
    "test_bar_chart.py": "it draws text",
    "test_seed_files.py": "it reads files",
    "test_purging_beside_others.py": "it measures how long a purge locks 20,000 orders",
}
CHANGED = {  # tests of the last release
    "test_a_key_is_of_one_order": "another constraint keeps a key unique among orders without an owner",
}
SECONDS = 280  # on two busy cores; both take 40 s of processor time


@pytest.mark.parametrize("project", ["products_project", "orders_project"])
def test_the_tests_of_the_last_release_pass_on_this_schema(project: str, tmp_path: Path) -> None:
    root = unpack_last_release(tmp_path / "last-release")
    (root / "on_this_schema.py").write_text(SETTINGS.format(project=project), "utf-8")
    with database(tmp_path, project) as url:
        env = clean_environment({"DATABASE_URL": url})
        migrated = manage(project, "migrate", "--verbosity", "0", env=env)
        assert migrated.returncode == 0, migrated.stderr

        tested = subprocess.run(
            [sys.executable, "-m", "pytest", "-c", f"{project}/pytest.ini", project, *options()],
            cwd=root,
            env=env,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    assert tested.returncode == 0, tested.stdout[-5000:] + tested.stderr


def options() -> list[str]:
    """Return the options of pytest: these tests, on this database, which also gets the last release's `migrate`."""
    return [
        *("--ds=on_this_schema", "--reuse-db", "--quiet", "--tb=short", "-p", "no:randomly", "-p", "no:cacheprovider"),
        *(f"--ignore-glob=*/{name}" for name in LEFT_OUT),
        *("-k", " and ".join(f"not {name}" for name in CHANGED)),
    ]


def test_the_last_release_has_the_tests_that_are_left_out(tmp_path: Path) -> None:
    files = list(unpack_last_release(tmp_path).glob("*_project/*/tests/test_*.py"))
    code = "".join(path.read_text("utf-8") for path in files)

    assert LEFT_OUT.keys() <= {path.name for path in files}
    assert [name for name in CHANGED if f"def {name}(" not in code] == []
