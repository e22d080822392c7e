"""The gateway as the stack runs it: Debian's nginx with gateway/start, and clients that have addresses of their own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import ROOT, clean_environment, free_port
from tests.raw_http import RawAnswer, read_answer, request

PORTS = ("GATEWAY_PORT", "GATEWAY_HTTP_PORT", "GATEWAY_STATUS_PORT", "GATEWAY_PRODUCTS_PORT", "GATEWAY_ORDERS_PORT")
PATH = f"{os.environ['PATH']}:/usr/sbin"  # where Debian has nginx
CLIENTS = (f"127.1.{number // 250}.{number % 250 + 1}" for number in count())


def skip_without_nginx() -> None:
    """Skip the module on a machine without nginx; CI, which has RabbitMQ, must have it."""
    if not shutil.which("nginx", path=PATH) and not os.environ.get("TEST_AMQP_URL"):
        pytest.skip("nginx is missing; on Debian: apt-get install nginx-light", allow_module_level=True)


def start(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run gateway/start to its end."""
    return subprocess.run(
        [ROOT / "gateway/start", *arguments],
        env=clean_environment({"PATH": PATH, **env}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@dataclass
class Gateway:
    """One running gateway. Each request comes from a new address, unless the test names one."""

    directory: Path
    env: dict[str, str]
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in PORTS})
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self.ports["GATEWAY_PORT"]

    @property
    def status_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['GATEWAY_STATUS_PORT']}"

    @property
    def log_path(self) -> Path:
        return self.directory / "gateway.log"

    def start(self) -> None:
        env = {name: str(port) for name, port in self.ports.items()} | {"TMPDIR": str(self.directory), "PATH": PATH}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [ROOT / "gateway/start"], env=clean_environment(env | self.env), stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                requests.get(f"{self.status_url}/healthz", timeout=5).raise_for_status()
            except requests.ConnectionError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(self.log_path.read_text())

    def connect(self, client: str = "", port: int = 0) -> socket.socket:
        address = ("127.0.0.1", port or self.port)
        return socket.create_connection(address, timeout=60, source_address=(client or next(CLIENTS), 0))

    def exchange(self, raw: bytes, client: str = "", port: int = 0) -> RawAnswer:
        """Send the bytes on a new connection and return the answer."""
        with self.connect(client, port) as connection:
            connection.sendall(raw)
            return read_answer(connection)

    def ask(
        self, method: str, path: str, *headers: str, body: Any = None, client: str = "", port: int = 0
    ) -> RawAnswer:
        """Send one request; `body` as JSON."""
        sent = b"" if body is None else json.dumps(body).encode()
        lines = [header.encode() for header in headers]
        if body is not None:
            lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(sent)]
        return self.exchange(request(method.encode(), path.encode(), *lines, body=sent), client, port)

    def answers(self) -> dict[tuple[str, str], float]:
        """Return the counters of the gateway: status and who answered, up to the scrape before this one."""
        text = requests.get(f"{self.status_url}/metrics", timeout=30).text
        return {
            (sample.labels["status"], sample.labels["answered_by"]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "gateway_requests_total"
        }

    def wait_for_answers(self, wanted: Mapping[tuple[str, str], float]) -> None:
        """Scrape until the counters are these; fail with those of the last scrape."""
        deadline = time.monotonic() + 60
        while (found := self.answers()) != wanted:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def log_line(self, request_id: str) -> dict[str, Any]:
        """Return the access log's line of a request, once it is written."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for line in self.log_path.read_text().splitlines():
                if line.startswith("{") and (found := json.loads(line))["request_id"] == request_id:
                    return dict(found)
            time.sleep(0.02)
        raise AssertionError(self.log_path.read_text())


@contextmanager
def gateway(**env: str) -> Iterator[Gateway]:
    """Yield a gateway; its folder is open to nginx's workers, which are not root."""
    with TemporaryDirectory(prefix="argos-gateway-") as directory:
        Path(directory).chmod(0o755)
        running = Gateway(Path(directory), env)
        try:
            running.start()
            yield running
        finally:
            if running.process is not None:
                running.process.terminate()
                running.process.wait(30)
