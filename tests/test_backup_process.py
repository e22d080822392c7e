"""backup and restore as processes: beside a writer, killed, stopped, concurrent, and on a full disk."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from tests.processes import ROOT, clean_environment, database, manage

ROWS = 20_000
PROJECT = "products_project"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a database with 20,000 products whose names cannot be compressed."""
    folder = tmp_path_factory.mktemp("backups")
    with database(folder, "backups") as url:
        assert manage(PROJECT, "migrate", "--verbosity", "0", env={"DATABASE_URL": url}).returncode == 0
        lines = "".join(f"{number},{sha256(str(number).encode()).hexdigest()}\n" for number in range(1, ROWS + 1))
        done = manage(PROJECT, "seed_products", "--file", "-", env={"DATABASE_URL": url}, input=f"id,name\n{lines}")
        assert done.returncode == 0, done.stderr
        yield url


@pytest.fixture(scope="module")
def backup(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a backup of that database."""
    folder = tmp_path_factory.mktemp("taken")
    done = manage(PROJECT, "backup", "--to", str(folder), env={"DATABASE_URL": url})
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.backup"))


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run the statements in one transaction; return the rows of the last."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)) as lite, lite:
            return [lite.execute(statement).fetchall() for statement in statements][-1]
    with psycopg.connect(url) as postgres:
        cursors = [postgres.execute(statement.encode()) for statement in statements]
        return cursors[-1].fetchall() if cursors[-1].description else []


def names(url: str) -> int:
    return int(execute(url, "SELECT count(*) FROM products_product")[0][0])


def wait_for(is_so: Callable[[], object], within: float = 90.0) -> None:
    deadline = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start(*arguments: str, url: str, folder: Path, **kwargs: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / PROJECT / "manage.py"), *arguments],
        env=clean_environment({"DATABASE_URL": url, "TMPDIR": str(folder), "LOG_LEVEL": "error"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **kwargs,
    )


@pytest.fixture
def pouring(url: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Return a backup that holds its lock and waits for its reader, which has read one byte."""
    process = start("backup", "--to", "-", url=url, folder=tmp_path)
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 1) == b"m"
    yield process
    process.kill()
    process.communicate()


def unfinished(folder: Path) -> Sequence[Path]:
    return list(folder.glob(".products-service-*.unfinished"))


def test_a_backup_beside_a_writer_holds_one_moment(url: str, tmp_path: Path) -> None:
    written, done = 0, threading.Event()

    def write() -> None:
        nonlocal written
        while not done.is_set():
            number = written + 1
            execute(
                url,
                f"UPDATE products_product SET name = 'at {number}' WHERE id = 1",
                f"UPDATE products_product SET name = 'at {number}' WHERE id = {ROWS}",
            )
            written = number

    writer = threading.Thread(target=write)
    writer.start()
    wait_for(lambda: written)
    before = written
    taken = manage(PROJECT, "backup", "--to", str(tmp_path), "--verify", env={"DATABASE_URL": url})
    after = written
    done.set()
    writer.join()

    assert taken.returncode == 0, taken.stderr
    assert taken.stdout.endswith(", restored and compared.\n")
    assert after > before + 1
    (path,) = tmp_path.glob("*.backup")
    with database(tmp_path, "elsewhere") as elsewhere:
        restored = manage(PROJECT, "restore", str(path), env={"DATABASE_URL": elsewhere})
        assert restored.returncode == 0, restored.stderr
        found = execute(elsewhere, f"SELECT name FROM products_product WHERE id IN (1, {ROWS})")
        assert names(elsewhere) == ROWS
    assert len(set(found)) == 1
    assert before <= int(found[0][0].removeprefix("at ")) <= after


def test_it_goes_through_a_pipe_and_back(url: str, tmp_path: Path) -> None:
    env = clean_environment({"DATABASE_URL": url})
    command = [sys.executable, str(ROOT / PROJECT / "manage.py")]
    taken = subprocess.run([*command, "backup", "--to", "-", "--json"], env=env, capture_output=True, check=True)
    execute(url, "DELETE FROM products_product WHERE id > 5")

    restored = subprocess.run(
        [*command, "restore", "-", "--yes"], env=env, input=taken.stdout, capture_output=True, check=False
    )

    document = json.loads(taken.stderr.splitlines()[-1])
    assert document["file"] == "standard output"
    assert restored.returncode == 0, restored.stderr
    assert b" in place of 5, " in restored.stdout
    assert names(url) == ROWS


def test_a_second_one_says_who_is_at_it(pouring: subprocess.Popen[bytes], url: str, backup: Path) -> None:
    folder = backup.parent
    seconds = [start(*command, url=url, folder=folder) for command in (("backup",), ("restore", str(backup), "--yes"))]

    for second in seconds:
        _, errors = second.communicate(timeout=60)
        assert second.returncode == 3
        assert errors.startswith(b"Another backup-or-restore is running: ")
        assert f"is running: {pouring.pid}@" in errors.decode()
        assert errors.count(b"\n") == 1


def test_sigterm_ends_it_and_what_was_written_is_no_backup(
    pouring: subprocess.Popen[bytes], url: str, tmp_path: Path
) -> None:
    pouring.send_signal(signal.SIGTERM)

    output, errors = pouring.communicate(timeout=60)

    assert pouring.returncode == 1
    assert errors.splitlines()[-1] == b"Stopped by a signal; nothing was changed."
    (tmp_path / "half.backup").write_bytes(b"m" + output)
    refused = manage(PROJECT, "restore", str(tmp_path / "half.backup"), "--yes", env={"DATABASE_URL": url})
    assert refused.returncode == 1
    assert f"{tmp_path / 'half.backup'} is damaged" in refused.stderr
    assert unfinished(tmp_path) == []
    assert names(url) == ROWS


def test_after_sigkill_a_second_run_clears_up_and_succeeds(
    pouring: subprocess.Popen[bytes], url: str, tmp_path: Path
) -> None:
    pouring.kill()
    pouring.wait()
    assert len(unfinished(tmp_path)) == 1
    assert list(tmp_path.glob("*.backup")) == []

    again = manage(PROJECT, "backup", "--to", str(tmp_path), env={"DATABASE_URL": url})

    assert again.returncode == 0, again.stderr
    assert unfinished(tmp_path) == []
    assert len(list(tmp_path.glob("*.backup"))) == 1


def test_after_sigkill_in_a_restore_the_database_is_as_it_was_and_a_second_run_finishes(
    url: str, backup: Path, tmp_path: Path
) -> None:
    execute(url, "DELETE FROM products_product WHERE id > 5")
    on_sqlite = url.startswith("sqlite")
    lite = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) if on_sqlite else None
    postgres = None if on_sqlite else psycopg.connect(url)
    beside = Path(url.removeprefix("sqlite:///")).parent if on_sqlite else tmp_path
    for holder in (lite, postgres):  # a started restore waits for this transaction
        if holder is not None:
            holder.execute("BEGIN IMMEDIATE" if on_sqlite else "SELECT 1 FROM products_product")

    process = start("restore", str(backup), "--yes", url=url, folder=tmp_path)
    if on_sqlite:
        wait_for(lambda: list(beside.glob(".products-service-*/scratch.sqlite3")))
        time.sleep(0.3)
    else:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%DROP TABLE%'"
        mine = " AND datname = current_database()"
        wait_for(lambda: execute(url, waiting + mine))
    process.kill()
    process.communicate()
    for holder in (lite, postgres):
        if holder is not None:
            holder.close()
    assert names(url) == 5

    again = manage(PROJECT, "restore", str(backup), "--yes", env={"DATABASE_URL": url, "TMPDIR": str(tmp_path)})

    assert again.returncode == 0, again.stderr
    assert names(url) == ROWS
    assert unfinished(beside) == []


def test_a_full_disk_leaves_nothing(url: str, tmp_path: Path) -> None:
    """A limit on the file size makes writes fail like a full disk, without privileges."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    process = start("backup", "--to", str(tmp_path), url=url, folder=tmp_path, preexec_fn=limit)
    _, errors = process.communicate(timeout=60)
    with Path("/dev/full").open("wb") as full:
        piped = subprocess.run(
            [sys.executable, str(ROOT / PROJECT / "manage.py"), "backup", "--to", "-"],
            env=clean_environment({"DATABASE_URL": url, "TMPDIR": str(tmp_path), "LOG_LEVEL": "error"}),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert process.returncode == 1
    assert errors.count(b"\n") == 1, errors
    assert piped.returncode == 1
    assert piped.stderr.startswith(b"Standard output: No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_goes_away_leaves_nothing(url: str, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        (tmp_path / "ruin.sqlite3").write_bytes(b"SQLite format 3\0" + bytes(5_000))
        done = manage(
            PROJECT, "backup", "--to", str(tmp_path), env={"DATABASE_URL": f"sqlite:///{tmp_path}/ruin.sqlite3"}
        )
        returncode, errors = done.returncode, done.stderr
    else:
        waiting = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        with psycopg.connect(url) as holder:
            holder.execute("LOCK TABLE products_product")
            process = start("backup", "--to", str(tmp_path), url=url, folder=tmp_path)
            wait_for(lambda: execute(url, f"SELECT 1 {waiting}"))
            execute(url, f"SELECT pg_terminate_backend(pid) {waiting}")
            returncode, errors = process.wait(30), process.communicate()[1].decode()

    assert returncode == 1
    assert errors.splitlines()[-1].startswith("The database refused: ")
    assert "Traceback" not in errors
    assert list(tmp_path.glob("*.backup")) == unfinished(tmp_path) == []


def test_prune_backups_runs_as_a_process(backup: Path, url: str) -> None:
    done = manage(PROJECT, "prune_backups", str(backup.parent), "--keep-daily", "1", env={"DATABASE_URL": url})

    assert done.returncode == 0, done.stderr
    assert done.stdout == "Deleted 0 backups of products-service, 1 kept.\n"


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database with an extension of the superuser's, for its owner: a role without CREATEDB."""
    if not os.environ.get("TEST_DATABASE_URL"):
        pytest.skip("SQLite has neither roles nor extensions")
    role = f"argos_owner_{uuid4().hex[:8]}"
    with database(tmp_path, "owned") as owned:
        name = owned.rsplit("/", 1)[1]
        with psycopg.connect(owned, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'owner'".encode())
            connection.execute(f'ALTER DATABASE "{name}" OWNER TO {role}'.encode())
            connection.execute(f"GRANT ALL ON SCHEMA public TO {role}".encode())
            connection.execute(b"CREATE EXTENSION pg_trgm")
            try:
                yield (
                    urlsplit(owned)
                    ._replace(netloc=f"{role}:owner@{urlsplit(owned).netloc.rpartition('@')[2]}")
                    .geturl()
                )
            finally:
                connection.execute(f'ALTER DATABASE "{name}" OWNER TO CURRENT_USER'.encode())
                connection.execute(f"DROP OWNED BY {role} CASCADE".encode())
                connection.execute(f"DROP ROLE {role}".encode())


def test_an_extension_of_the_superusers_does_not_keep_the_owner_from_a_restore(owner: str, tmp_path: Path) -> None:
    env = {"DATABASE_URL": owner}
    index = "CREATE INDEX by_trigram ON products_product USING gin (name gin_trgm_ops)"
    assert manage(PROJECT, "migrate", "--verbosity", "0", env=env).returncode == 0
    assert manage(PROJECT, "seed_products", env=env).returncode == 0
    execute(owner, index)

    taken = manage(PROJECT, "backup", "--to", str(tmp_path), env=env)
    execute(owner, "DELETE FROM products_product WHERE id = 1")
    (path,) = tmp_path.glob("*.backup")
    restored = manage(PROJECT, "restore", str(path), "--yes", env=env)

    assert (taken.returncode, restored.returncode) == (0, 0), restored.stderr
    assert names(owner) == 2
    assert execute(owner, "SELECT indexname FROM pg_indexes WHERE indexname = 'by_trigram'")


def test_verify_needs_the_right_to_make_a_database_and_restores_the_extension_too(owner: str, tmp_path: Path) -> None:
    env = {"DATABASE_URL": owner}
    assert manage(PROJECT, "migrate", "--verbosity", "0", env=env).returncode == 0
    execute(owner, "CREATE INDEX by_trigram ON products_product USING gin (name gin_trgm_ops)")

    refused = manage(PROJECT, "backup", "--to", str(tmp_path), "--verify", env=env)
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {urlsplit(owner).username} CREATEDB".encode())
    verified = manage(PROJECT, "backup", "--to", str(tmp_path), "--verify", env=env)

    assert refused.returncode == 1
    assert "ALTER ROLE … CREATEDB" in refused.stderr
    assert (verified.returncode, verified.stdout[-25:]) == (0, ", restored and compared.\n"), verified.stderr
