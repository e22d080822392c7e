"""Run the services of the compose files as local processes.

Commands, environments and health checks come from the files. Hosts and ports are replaced, as containers are missing
here. The databases are those of the other tests.
"""

from __future__ import annotations

import http.server
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from events.tests.rabbitmq import take_away
from tests.containers import Dockerfile, compose, container_environment, run
from tests.processes import database, free_port

PROJECTS = {"products": "products_project", "orders": "orders_project"}
OWNERS = {"smoke": "orders", "recovery": "orders", "relay": "orders", "consumer": "products"}


def service_of(name: str) -> str:
    """Return the service of ours, orders or products, that a compose service belongs to."""
    return OWNERS.get(name) or name.split("-", maxsplit=1)[0]


class Collector(http.server.ThreadingHTTPServer):
    """Receive traces in place of Jaeger, and record their paths."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), CollectorHandler)


class CollectorHandler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Do not log."""


@dataclass
class Host:
    """Run the services of a compose file here, with names and ports of this machine."""

    services: dict[str, Any]
    apps: dict[str, Path]
    databases: dict[str, str]
    collector: Collector
    logs: Path
    exchange: str = field(default_factory=lambda: f"argos-test-{uuid4().hex}")
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in PROJECTS})
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    up: set[str] = field(default_factory=set)

    def environment(self, name: str) -> dict[str, str]:
        service = service_of(name)
        env = container_environment(
            Dockerfile(PROJECTS[service]).environment(),
            self.services[name]["environment"],
            {"PORT": self.ports[service]},
        )
        env["TMPDIR"] = str(self._own_folder(name))  # each container has its own
        env["EVENTS_EXCHANGE"] = self.exchange
        env["WORKER_METRICS_PORT"] = str(free_port())  # likewise
        for of_the_owner in ("DATABASE_DIRECT_URL", "DATABASE_DIRECT_URL_FILE"):
            env.pop(of_the_owner, None)  # one role here; test_database_roles.py has both
        if env["DATABASE_URL"]:  # production sets it to an empty value, and DATABASE_URL_FILE
            env["DATABASE_URL"] = self.databases[service]
        return {key: self._addressed(value) for key, value in env.items()}

    def _own_folder(self, name: str) -> Path:
        folder = self.logs / f"{name}-tmp"
        folder.mkdir(exist_ok=True)
        return folder

    def _addressed(self, text: str) -> str:
        """Replace the addresses within the stack by those of this machine."""
        addresses = {
            "//products-service:3001": f"//127.0.0.1:{self.ports['products']}",
            "//orders-service:3002": f"//127.0.0.1:{self.ports['orders']}",
            "//jaeger:4318": f"//127.0.0.1:{self.collector.server_port}",
            "//pushgateway:9091": f"//127.0.0.1:{self.collector.server_port}",
        }
        for name, address in addresses.items():
            text = text.replace(name, address)
        # One user here; test_broker_users.py has those of the stack.
        broker = os.environ.get("TEST_AMQP_URL", "amqp://127.0.0.1:1/")
        return re.sub(r"amqp://(\w+):\1-events@rabbitmq:5672/", lambda _: broker, text)

    def run(self, name: str, command: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a one-off service to its end, or another command in a service's container."""
        command = [self._addressed(word) for word in command or self.services[name]["command"]]
        return run(command, app=self.apps[service_of(name)], env=self.environment(name))

    def give_secrets(self, name: str, **secrets: str) -> None:
        """Write the files of the service's _FILE variables into a folder of this machine."""
        environment = self.services[name]["environment"]
        for variable, secret in secrets.items():
            path = self.logs / Path(environment[f"{variable}_FILE"]).name
            path.write_text(f"{secret}\n")
            environment[f"{variable}_FILE"] = str(path)

    def bring_up(self, name: str) -> None:
        """Start a service of ours after its dependencies, each in the required condition."""
        service = self.services[name]
        if "build" not in service or "profiles" in service or name in self.up:
            return
        is_loop = "command" in service and "restart" in service
        if "rabbitmq" in service["depends_on"] and not os.environ.get("TEST_AMQP_URL"):
            return
        self.up.add(name)
        for other, wanted in service["depends_on"].items():
            self.bring_up(other)
            if wanted["condition"] == "service_healthy" and other in self.processes:
                self.wait_until_healthy(other)
        if "command" not in service or is_loop:
            self.start(name)
            return
        done = self.run(name)
        assert done.returncode == 0, f"{name}: {done.stderr}"

    def start(self, name: str) -> None:
        service = service_of(name)
        with (self.logs / name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                self.services[name].get("command") or Dockerfile(PROJECTS[service]).command(),
                cwd=self.apps[service],
                env=self.environment(name),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def is_healthy(self, name: str) -> bool:
        """Run the health check as a container engine does."""
        kind, *command = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(name, command).returncode == 0

    def wait_until_healthy(self, name: str) -> None:
        deadline = time.monotonic() + 90
        while not self.is_healthy(name):
            assert time.monotonic() < deadline, (self.logs / name).read_text()
            assert self.processes[name].poll() is None, (self.logs / name).read_text()
            time.sleep(0.2)  # each check starts a process

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[service_of(name)]}"


@contextmanager
def host(apps: dict[str, Path], collector: Collector, directory: Path, *files: str) -> Iterator[Host]:
    with database(directory, "products") as products, database(directory, "orders") as orders:
        databases = {"products": products, "orders": orders}
        here = Host(compose(*files)["services"], apps, databases, collector, directory)
        try:
            yield here
        finally:
            for process in here.processes.values():
                process.terminate()
            for process in here.processes.values():
                process.wait(30)
            if os.environ.get("TEST_AMQP_URL"):
                take_away(here.exchange)
