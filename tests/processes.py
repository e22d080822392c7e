"""Start the services as they run in production: real gunicorn processes on free ports, each with its own database."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psycopg
import requests

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = sorted(path.name for path in ROOT.glob("*_project"))
CHANCE = SystemRandom()
PREPARATIONS = {
    "products_project": (("migrate", "--verbosity", "0"), ("seed_products",)),  # of the shop
    "orders_project": (("migrate", "--verbosity", "0"),),
}
SECRET_KEY = "a-key-for-tests-only-0123456789-abcdefghij"


def free_port() -> int:
    """Return a free port.

    It is below the kernel's range for outgoing connections, one of which could take it before the service does. It uses
    its own random source, as pytest-randomly gives parallel test processes the same one.
    """
    while True:
        port = CHANCE.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def database(directory: Path, name: str, *, like: str = "") -> Iterator[str]:
    """Yield the URL of a database: PostgreSQL if TEST_DATABASE_URL is set, else a SQLite file.

    It is empty, or a copy of the database `like`.
    """
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        path = directory / f"{name}.sqlite3"
        if like:
            shutil.copy(like.removeprefix("sqlite:///"), path)
        yield f"sqlite:///{path}"
        return
    unique = f"argos_{name}_{uuid4().hex[:8]}"
    template = f' TEMPLATE "{like.rsplit("/", 1)[1]}"' if like else ""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{unique}"{template}')
    try:
        yield f"{server.rsplit('/', 1)[0]}/{unique}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{unique}" WITH (FORCE)')


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with only these variables of Argos."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "COVERAGE_", "COV_CORE_", "VIRTUAL_ENV")
    base = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    own = {"PYTHONUNBUFFERED": "1", "LOG_FORMAT": "json", "SECRET_KEY": SECRET_KEY, "ARGOS_ENV_FILE": os.devnull}
    return base | own | dict(extra)


def manage(
    project: str, *arguments: str, env: Mapping[str, str], root: Path = ROOT, **kwargs: Any
) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` of a service as a process."""
    return subprocess.run(
        [sys.executable, str(root / project / "manage.py"), *arguments],
        env=clean_environment(env),
        capture_output=True,
        text=True,
        timeout=kwargs.pop("timeout", 120),
        check=False,
        **kwargs,
    )


@dataclass
class Service:
    """One running service."""

    project: str
    directory: Path
    env: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    root: Path = ROOT  # of the code
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.directory / f"{self.project}-{self.port}.log"

    def start(self, *, ready_within: float = 60.0) -> Service:
        """Start gunicorn and wait until it is ready."""
        env = self.env | {"DJANGO_SETTINGS_MODULE": f"{self.project}.settings", "PORT": str(self.port)}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ops.server"],
                cwd=self.root,
                env=clean_environment(env),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if ready_within:
            self.wait_until_ready(ready_within)
        return self

    def wait_until_ready(self, within: float) -> None:
        self._wait_until("/readyz", within)

    def wait_until_healthy(self, within: float = 60.0) -> None:
        self._wait_until("/healthz", within)

    def _wait_until(self, path: str, within: float) -> None:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                if requests.get(f"{self.url}{path}", timeout=2).status_code == 200:
                    return
            except (requests.ConnectionError, requests.Timeout):  # it listens before it is ready
                pass
            time.sleep(0.05)
        log = self.log_path.read_text()[-5000:]
        raise AssertionError(f"{self.project} did not answer {path} with 200 within {within} s:\n{log}")

    def stop(self, with_signal: int = signal.SIGTERM, *, within: float = 60.0) -> int:
        """Send the signal to the master process and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        return self.process.wait(within)

    def kill(self) -> None:
        """Kill every process of the service at once."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return what the service logged; every line must be one JSON object."""
        # Not `splitlines`: a path may hold another character that ends a line for Python alone, such as U+2028.
        return [json.loads(line) for line in self.log_path.read_text().split("\n") if line]

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of one series from /metrics; 0 if it does not exist yet."""
        from prometheus_client.parser import text_string_to_metric_families

        text = requests.get(f"{self.url}/metrics", timeout=30).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and all(sample.labels.get(key) == value for key, value in labels.items()):
                    return float(sample.value)
        return 0.0


@dataclass
class Stack:
    """Products and orders; orders calls this products."""

    products: Service
    orders: Service

    def place_order(self, product_id: object = 1, quantity: object = 2, **kwargs: Any) -> requests.Response:
        body = {"productId": product_id, "quantity": quantity}
        return requests.post(f"{self.orders.url}/orders", json=body, timeout=kwargs.pop("timeout", 10), **kwargs)


prepared = ExitStack()  # holds the databases of `prepared_database`; tests/conftest.py closes it


@cache
def prepared_database(project: str) -> str:
    """Return the URL of a service's migrated and seeded database, the template of others."""
    directory = Path(prepared.enter_context(TemporaryDirectory(prefix="argos-prepared-")))
    url = prepared.enter_context(database(directory, f"prepared_{project}"))
    for arguments in PREPARATIONS[project]:
        done = manage(project, *arguments, env={"DATABASE_URL": url})
        assert done.returncode == 0, done.stderr
    return url


@contextmanager
def running_stack(directory: Path, **env: str) -> Iterator[Stack]:
    """Yield both services: migrated, seeded, ready. `env` goes to both; PRODUCTS_… and ORDERS_… would be ambiguous."""
    with (
        database(directory, "products", like=prepared_database("products_project")) as products_db,
        database(directory, "orders", like=prepared_database("orders_project")) as orders_db,
    ):
        products = Service("products_project", directory, {"DATABASE_URL": products_db, **env})
        orders = Service(
            "orders_project",
            directory,
            {"DATABASE_URL": orders_db, "PRODUCTS_SERVICE_URL": f"http://127.0.0.1:{products.port}", **env},
        )
        services = (products, orders)
        try:
            for service in services:
                service.start(ready_within=0)
            for service in services:
                service.wait_until_ready(60)
            yield Stack(products, orders)
        finally:
            stop_all(*services)


def stop_all(*services: Service, within: float = 5.0) -> None:
    """Stop the services in parallel; a killed one would not write its coverage."""
    started = [service for service in services if service.process is not None]
    for service in started:
        assert service.process is not None
        if service.process.poll() is None:
            service.process.terminate()
    for service in started:
        assert service.process is not None
        with suppress(subprocess.TimeoutExpired):
            service.process.wait(within)
        service.kill()
