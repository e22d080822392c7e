"""A RabbitMQ node that tests kill and restart; its queues and messages are in its own folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from tests.processes import clean_environment, free_port

# Not Debian's wrapper in /usr/sbin, which runs one node for the whole machine, as one user.
PLACES = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")


def server() -> str | None:
    """Return the path of the server's script, or None if RabbitMQ is not installed."""
    return next((path for path in PLACES if Path(path).exists()), None)


@dataclass
class Node:
    """One node; a start takes about six seconds, mostly CPU time of one core."""

    directory: Path
    port: int = field(default_factory=free_port)
    distribution_port: int = field(default_factory=free_port)
    mapper_port: int = field(default_factory=free_port)  # each node has its own port mapper
    process: subprocess.Popen[bytes] | None = None
    name: str = "rabbitmq"
    starter: tuple[Path | str, ...] = ()  # before the server's own command
    env: dict[str, str] = field(default_factory=dict)

    def url(self, *, port: int = 0, user: str = "guest", password: str = "") -> str:
        return f"amqp://{user}:{password or user}@127.0.0.1:{port or self.port}//"

    @property
    def log_path(self) -> Path:
        return self.directory / "rabbitmq.log"

    def _environment(self) -> dict[str, str]:
        return clean_environment(
            {
                "HOME": str(self.directory),  # where Erlang keeps its cookie
                "TMPDIR": str(self.directory),
                "RABBITMQ_NODENAME": f"argos{self.port}@localhost",
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": str(self.port),
                "RABBITMQ_DIST_PORT": str(self.distribution_port),
                "ERL_EPMD_PORT": str(self.mapper_port),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                "RABBITMQ_BASE": str(self.directory),
                "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
                "RABBITMQ_LOG_BASE": str(self.directory / "log"),
                "RABBITMQ_LOGS": "-",
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
                "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
                "RABBITMQ_CONF_ENV_FILE": os.devnull,
                "RABBITMQ_PID_FILE": str(self.directory / "pid"),
                **self.env,
            }
        )

    def start(self, *, ready_within: float = 120.0) -> None:
        """Start the node; wait until it speaks AMQP unless told not to."""
        path = server()
        assert path, "RabbitMQ is missing; on Debian: apt-get install rabbitmq-server"
        (self.directory / "plugins").write_text("[].")
        (self.directory / "rabbitmq.conf").touch()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.starter, path],
                env=self._environment(),
                cwd=self.directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if ready_within:
            self.wait_until_ready(ready_within)

    def wait_until_ready(self, within: float) -> None:
        deadline = time.monotonic() + within
        while not self.answers():
            assert self.is_running(), self.log_path.read_text()[-2000:]
            assert time.monotonic() < deadline, self.log_path.read_text()[-2000:]
            time.sleep(0.1)

    def answers(self) -> bool:
        """Return whether the node answers the first bytes of AMQP 0-9-1."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(1))
        except OSError:
            return False

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """`kill -9` the node and its children."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """Stop the node as a container is stopped; a quorum queue that is seconds old may not survive `kill`."""
        assert self.process is not None
        self.control("stop")
        self.process.wait(60)

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl on this node; return its output."""
        path = server()
        assert path
        done = subprocess.run(
            [Path(path).with_name("rabbitmqctl"), "--quiet", *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def stop_mapper(self) -> None:
        """Stop the port mapper, which outlives its node."""
        if epmd := shutil.which("epmd"):
            subprocess.run(
                [epmd, "-port", str(self.mapper_port), "-kill"], capture_output=True, timeout=10, check=False
            )


@contextmanager
def running_node(*starter: Path | str, **env: str) -> Iterator[Node]:
    """Yield a new running node; kill and delete it at the end."""
    node = Node(Path(mkdtemp(prefix="argos-rabbitmq-")), starter=starter, env=env)
    try:
        node.start()
        yield node
    finally:
        if node.process is not None:
            node.kill()
        node.stop_mapper()
        shutil.rmtree(node.directory, ignore_errors=True)
