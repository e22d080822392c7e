"""ensure_superuser as processes: several at once, and a hidden password from standard input."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.processes import database, manage

PASSWORD = "canary-of-a-long-passphrase"


def test_several_at_once_make_one_superuser_and_none_fails(tmp_path: Path) -> None:
    with database(tmp_path, "users") as url:
        env = {"DATABASE_URL": url, "SUPERUSER_NAME": "ada", "SUPERUSER_PASSWORD": PASSWORD}
        migrated = manage("orders_project", "migrate", "--verbosity", "0", env=env)
        with ThreadPoolExecutor(3) as pool:
            runs = list(pool.map(lambda _: manage("orders_project", "ensure_superuser", "--json", env=env), range(3)))
        again = manage(
            "orders_project",
            *("ensure_superuser", "--username", "ada", "--password-file", "-"),
            env={"DATABASE_URL": url},
            input=f"{PASSWORD}\n",
        )

    assert migrated.returncode == 0, migrated.stderr
    assert [run.returncode for run in runs] == [0, 0, 0], [run.stderr for run in runs]
    counts = [json.loads(run.stdout)["counts"] for run in runs]
    assert sum(count["created"] for count in counts) == 1
    assert sum(count["unchanged"] for count in counts) == 2
    assert (again.returncode, again.stdout) == (0, "Superuser ada unchanged.\n")
    assert PASSWORD not in "".join(run.stdout + run.stderr for run in [*runs, again])
