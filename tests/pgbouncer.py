"""A real PgBouncer in transaction mode, with the sample configuration of pgbouncer/pgbouncer.ini."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import psycopg

from tests.processes import ROOT, free_port


@contextmanager
def pooler(directory: Path, *urls: str) -> Iterator[list[str]]:
    """Yield, for each URL of a database, the URL of the same database through a PgBouncer."""
    assert shutil.which("pgbouncer"), "pgbouncer is missing; on Debian: apt-get install pgbouncer"
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "pgbouncer/pgbouncer.ini")
    port = free_port()
    targets = [urlsplit(url) for url in urls]
    settings["databases"] = {target.path[1:]: _libpq_words(target) for target in targets}
    ours = {"listen_addr": "127.0.0.1", "listen_port": str(port), "unix_socket_dir": ""}
    ours |= {"auth_type": "any", "auth_file": ""}  # the tests' server trusts this machine
    ours |= {"admin_users": ",".join({target.username or "" for target in targets})}
    settings["pgbouncer"].update(ours)
    directory.chmod(0o755)
    file = directory / "pgbouncer.ini"
    with file.open("w") as output:
        settings.write(output)
    unprivileged = ["--user", "nobody"] if os.geteuid() == 0 else []
    with (directory / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(["pgbouncer", *unprivileged, str(file)], stdout=log, stderr=log)
    try:
        through = [target._replace(netloc=f"{target.username}@127.0.0.1:{port}").geturl() for target in targets]
        _wait_until_it_answers(through[0], process, directory / "pgbouncer.log")
        yield through
    finally:
        process.terminate()
        process.wait(30)


def reconnect(url: str) -> None:
    """Have the pooler of this URL open its connections to the server anew, as an operator does after `migrate`."""
    console = urlsplit(url)._replace(path="/pgbouncer").geturl()
    with psycopg.connect(console, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("RECONNECT")


def _libpq_words(url: SplitResult) -> str:
    words = {"host": url.hostname, "port": url.port or 5432, "dbname": url.path[1:], "user": url.username}
    words |= {"password": url.password} if url.password else {}
    return " ".join(f"{name}={value}" for name, value in words.items())


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())
