"""Replicas started at the same time migrate once, and none of them fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.processes import database, manage

REPLICAS = 4


def test_four_replicas_at_once_apply_each_migration_once(tmp_path: Path) -> None:
    with database(tmp_path, "shared") as url, ThreadPoolExecutor(REPLICAS) as pool:
        runs = list(pool.map(lambda _: manage("orders_project", "migrate", env={"DATABASE_URL": url}), range(REPLICAS)))

    assert [run.returncode for run in runs] == [0] * REPLICAS, [run.stderr for run in runs]
    applied = [line for run in runs for line in run.stdout.splitlines() if line.startswith("  Applying ")]
    assert len(applied) > 10
    assert len(applied) == len(set(applied))
    assert sum("No migrations to apply." in run.stdout for run in runs) == REPLICAS - 1


def test_a_database_that_is_down_is_one_sentence() -> None:
    done = manage("orders_project", "migrate", env={"DATABASE_URL": "postgres://me:canary@127.0.0.1:1/shop"})

    sentence = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert sentence.startswith("The database refused: ")
    assert "Connection refused" in sentence
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
