"""seed_products as a process: pipes, signals and large files, on its own database."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peak_memory import run_and_measure
from tests.processes import ROOT, clean_environment, database, manage

ROWS = 60_000
MAX_MEMORY_KB = 120_000  # on Python 3.14 any process takes 8 MB more than on 3.13; the rows of the file would add 20 MB


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a migrated database."""
    with database(tmp_path_factory.mktemp("seeding"), "seeding") as url:
        assert manage("products_project", "migrate", "--verbosity", "0", env={"DATABASE_URL": url}).returncode == 0
        yield url


def start(url: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "products_project" / "manage.py"), "seed_products", *options],
        env=clean_environment({"DATABASE_URL": url}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_reads_standard_input(url: str) -> None:
    done = manage("products_project", "seed_products", "--file", "-", env={"DATABASE_URL": url}, input="id,name\n5,a\n")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "Seeded 1 product: 1 created, 0 updated, 0 unchanged.\n"


def test_sigterm_while_it_reads_changes_nothing_and_says_so(url: str) -> None:
    process = start(url, "--file", "-", "--format", "jsonl")
    assert process.stdin is not None
    # More than the pipe and the reader hold: after this write, the command reads.
    for number in range(100, 20_000):
        process.stdin.write(f'{{"id": {number}, "name": "interrupted"}}\n')
    process.stdin.flush()

    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 1
    process.stdin.close()
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read() == ""
    assert process.stderr.read().endswith("Stopped by a signal; nothing was changed.\n")
    process.stdout.close()
    process.stderr.close()
    again = manage(
        "products_project", "seed_products", "--dry-run", "--file", "-", env={"DATABASE_URL": url}, input=ONE
    )
    assert "1 created" in again.stdout


ONE = '[{"id": 100, "name": "interrupted"}]'


def test_a_reader_that_has_gone_away_takes_no_work_with_it(url: str) -> None:
    process = start(url)
    assert process.stdout is not None
    process.stdout.close()

    _, errors = process.communicate(timeout=60)

    assert process.returncode == 0
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors
    again = manage("products_project", "seed_products", env={"DATABASE_URL": url})
    assert again.stdout == "Seeded 2 products: 0 created, 0 updated, 2 unchanged.\n"


def test_without_migrations_it_says_what_to_run(tmp_path: Path) -> None:
    with database(tmp_path, "empty") as empty:
        done = manage("products_project", "seed_products", env={"DATABASE_URL": empty})

    assert done.returncode == 1
    assert "Has `manage.py migrate` run?" in done.stderr
    assert "Traceback" not in done.stderr


def test_memory_does_not_grow_with_the_file(url: str, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    with path.open("w") as file:
        file.write("id,name\n")
        for number in range(1_000_000, 1_000_000 + ROWS):
            file.write(f"{number},{'x' * 190}{number}\n")
    assert path.stat().st_size > 10_000_000

    command = [sys.executable, str(ROOT / "products_project" / "manage.py"), "seed_products", "--file", str(path)]
    done, peak = run_and_measure(command, env=clean_environment({"DATABASE_URL": url}))

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Seeded {ROWS} products: {ROWS} created, 0 updated, 0 unchanged.\n"
    assert peak < MAX_MEMORY_KB


def test_two_at_once_both_succeed(url: str) -> None:
    rows = "".join(f"{number},twice\n" for number in range(2_000_000, 2_003_000))
    runs = [start(url, "--file", "-") for _ in range(2)]
    for run in runs:
        assert run.stdin is not None
        run.stdin.write(f"id,name\n{rows}")
        run.stdin.flush()
    outputs = sorted(run.communicate(timeout=60)[0] for run in runs)

    assert outputs == [
        "Seeded 3000 products: 0 created, 0 updated, 3000 unchanged.\n",
        "Seeded 3000 products: 3000 created, 0 updated, 0 unchanged.\n",
    ]
