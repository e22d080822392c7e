"""A PostgreSQL cluster that tests crash and restart; fsync is on, so acknowledged data survive."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg

from tests.processes import free_port

UNPRIVILEGED = "postgres"  # its programs refuse to run as root
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/usr/local/bin")
INITDB_OPTIONS = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "100",
    "shared_buffers": "32MB",
}


def program(name: str) -> str:
    """Return the path of a program of PostgreSQL; Debian keeps them outside PATH, the newest version last."""
    found = [path for place in PLACES for path in sorted(Path("/").glob(f"{place[1:]}/{name}"))]
    path = shutil.which(name) or (str(found[-1]) if found else "")
    assert path, f"{name} of PostgreSQL is missing; on Debian: apt-get install postgresql"
    return path


def _unprivileged() -> dict[str, Any]:
    """Return the arguments with which subprocess starts a program as a user other than root."""
    if os.geteuid() != 0:
        return {}
    return {"user": UNPRIVILEGED, "group": pwd.getpwnam(UNPRIVILEGED).pw_gid, "extra_groups": []}


@dataclass
class Cluster:
    """One server and its folder."""

    directory: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    name: str = "postgresql"
    has_templates: bool = False  # see databases.py

    def url(self, database: str = "postgres", *, port: int = 0) -> str:
        """Return the URL of a database; through a proxy's port if given."""
        return f"postgres://postgres@127.0.0.1:{port or self.port}/{database}"

    @property
    def log_path(self) -> Path:
        return self.directory / "postgresql.log"

    def start(self, *, ready_within: float = 60.0) -> None:
        """Start the server, which recovers from a crash first; wait until it answers unless told not to."""
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [program("postgres"), "-D", str(self.directory / "data"), "-p", str(self.port), *settings],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                start_new_session=True,
                **_unprivileged(),
            )
        if ready_within:
            self.wait_until_ready(ready_within)

    def wait_until_ready(self, within: float) -> None:
        deadline = time.monotonic() + within
        while not self.answers():
            assert self.is_running(), self.log_path.read_text()[-2000:]
            assert time.monotonic() < deadline, self.log_path.read_text()[-2000:]
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Stop immediately (`pg_ctl stop -m immediate`): cut every session; the next start must recover."""
        assert self.process is not None
        if self.is_running():
            self.process.send_signal(signal.SIGQUIT)
        self.process.wait(120)  # a session that flushes to a busy disk ends only after the flush

    def create(self, database: str, *, template: str = "template1") -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Yield a new running cluster; stop and delete it at the end."""
    # Not below pytest's own folder, which only its owner may enter.
    directory = Path(mkdtemp(prefix="argos-postgresql-"))
    cluster = Cluster(directory)
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, UNPRIVILEGED)
        made = subprocess.run(
            [program("initdb"), "-D", str(directory / "data"), *INITDB_OPTIONS],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=directory,
            **_unprivileged(),
        )
        assert made.returncode == 0, made.stderr
        cluster.start()
        yield cluster
    finally:
        if cluster.process is not None:
            cluster.kill()
        shutil.rmtree(directory, ignore_errors=True)
