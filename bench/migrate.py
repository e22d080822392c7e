"""Measure how long `migrate` keeps the writers of a large table waiting: `python -m bench.migrate`.

TEST_DATABASE_URL names a PostgreSQL server. Orders begins with its first two migrations.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.processes import database, manage

WRITERS = 4
FIRST = "0002"
FILL = "INSERT INTO orders_order (product_id, quantity) SELECT 1 + n %% 1000, 2 FROM generate_series(1, %s) n"
INSERT = "INSERT INTO orders_order (product_id, quantity) VALUES (1, 2)"


@contextmanager
def writers(url: str) -> Iterator[list[float]]:
    """Insert rows meanwhile; yield the seconds that each insert took."""
    took: list[float] = []
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.wait(0.002):
                started = time.monotonic()
                connection.execute(INSERT)
                took.append(time.monotonic() - started)

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield took
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def report(name: str, seconds: float, took: list[float]) -> None:
    print(f"| {name} | {seconds:.1f} | {len(took)} | {max(took) * 1000:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="orders in the table (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, database(Path(directory), "orders") as url:
        env = {"DATABASE_URL": url}
        manage("orders_project", "migrate", "orders", FIRST, env=env).check_returncode()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(FILL, [options.rows])
            connection.execute("VACUUM ANALYZE orders_order")
            connection.execute("CHECKPOINT")
        print("| meanwhile | seconds | inserts | longest insert, ms |\n|---|---|---|---|")
        with writers(url) as took:
            time.sleep(10)
        report("nothing else", 10, took)
        with writers(url) as took:
            started = time.monotonic()
            manage("orders_project", "migrate", env=env, timeout=3600).check_returncode()
            seconds = time.monotonic() - started
        report("`migrate`", seconds, took)


if __name__ == "__main__":
    main()
