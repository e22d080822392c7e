"""Processes that can be killed and restarted through one interface: start, kill, is_running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.processes import ROOT, Service, clean_environment

WORKERS = (  # name, project, command
    ("recovery", "orders_project", ("recover_orders",)),
    ("relay", "orders_project", ("relay_events", "--lease", "2")),
    ("consumer", "products_project", ("consume_events", "--retry-after", "1")),
)


class Victim(Protocol):
    """A process, or a group of them."""

    @property
    def name(self) -> str: ...

    def start(self, *, ready_within: float = 0.0) -> None: ...

    def wait_until_ready(self, within: float) -> None: ...

    def kill(self) -> None: ...

    def is_running(self) -> bool: ...


@dataclass
class WebVictim:
    """A service: gunicorn's master and its workers."""

    name: str
    service: Service

    def start(self, *, ready_within: float = 0.0) -> None:
        self.service.start(ready_within=ready_within)

    def wait_until_ready(self, within: float) -> None:
        self.service.wait_until_ready(within)

    def kill(self) -> None:
        self.service.kill()

    def is_running(self) -> bool:
        return self.service.process is not None and self.service.process.poll() is None


@dataclass
class Worker:
    """A command that runs in a loop."""

    name: str
    project: str
    arguments: tuple[str, ...]
    env: Mapping[str, str]
    directory: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log_path(self) -> Path:
        return self.directory / f"{self.name}.log"

    def start(self, *, ready_within: float = 0.0) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / self.project / "manage.py"), *self.arguments],
                env=clean_environment(self.env),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self, within: float) -> None:
        """Return immediately: a running worker works, and the resolved orders show it."""

    def kill(self) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


def workers(envs: Mapping[str, Mapping[str, str]], directory: Path) -> list[Worker]:
    """Return the workers; `envs` holds the environment of each project. Events over HTTP need no consumer."""
    consumes = envs["orders_project"].get("EVENTS_URL", "").startswith("amqp")
    return [
        Worker(name, project, arguments, envs[project], directory)
        for name, project, arguments in WORKERS
        if name != "consumer" or consumes
    ]
