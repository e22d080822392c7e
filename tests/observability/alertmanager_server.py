"""A real Alertmanager, started by the shipped script with the shipped routes, at the speed of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.observability.prometheus_server import quick_duration, wait_until_ready
from tests.processes import ROOT, free_port

PROGRAM = shutil.which("prometheus-alertmanager") or "alertmanager"  # Debian's name, and its own
SHIPPED = ROOT / "alertmanager"


def quick_routes(route: dict[str, Any]) -> dict[str, Any]:
    """Divide the waits of a route and its children, as prometheus_server does with the rules."""
    waits = {
        name: quick_duration(route[name], shortest=0.2) for name in ("group_wait", "group_interval") if name in route
    }
    children = {"routes": [quick_routes(child) for child in route["routes"]]} if "routes" in route else {}
    return route | waits | children


@dataclass
class Alertmanager:
    """One running Alertmanager."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.url}/api/v2/alerts", timeout=10).json()
        return found


@contextmanager
def running_alertmanager(directory: Path, webhook: str) -> Iterator[Alertmanager]:
    """Yield an Alertmanager that sends to the webhook; "" is none."""
    home = directory / "alertmanager"
    shutil.copytree(SHIPPED, home)
    config = home / "alertmanager.yml"
    document = yaml.safe_load(config.read_text())
    document["route"] = quick_routes(document["route"])
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    port = free_port()
    log = home / "alertmanager.log"
    (home / "tmp").mkdir()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                str(home / "start"),
                f"--storage.path={home / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            env={
                "PATH": os.environ["PATH"],
                "TMPDIR": str(home / "tmp"),
                "ALERTMANAGER": PROGRAM,
                "ALERT_WEBHOOK_URL": webhook,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/-/ready", process, log)
        yield Alertmanager(port, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
