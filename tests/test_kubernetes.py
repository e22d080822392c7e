"""The pods of the development overlay, run as local processes: commands, environments, probes and signals.

A cluster is missing here, so the scheduler, the network policies and the root file system are not.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from events.tests.rabbitmq import take_away
from tests.compose_host import PROJECTS, Collector, Host
from tests.containers import Dockerfile
from tests.kustomized import overlay

OVERLAY = overlay("development")
PODS = OVERLAY.pods()
WEB = ["products-service", "orders-service"]
JOBS = ["products-migrate", "orders-migrate", "products-seed"]
LOOPS = ["recovery", *(["relay", "consumer"] if os.environ.get("TEST_AMQP_URL") else [])]


def as_service(name: str) -> dict[str, Any]:
    """Return a pod as the host of the compose tests runs a service."""
    container = PODS[name].container
    probe = container.get("livenessProbe", {}).get("exec", {}).get("command", [])
    return {
        "environment": OVERLAY.config_map(container) | OVERLAY.secret(container),
        "healthcheck": {"test": ["CMD", *probe]},
        **({"command": container["command"]} if "command" in container else {}),
    }


def probed(node: Host, name: str, kind: str) -> int:
    """Return the status that a web pod answers to a probe of the kubelet."""
    path = PODS[name].container[f"{kind}Probe"]["httpGet"]["path"]
    try:
        return requests.get(f"{node.url(name)}{path}", headers={"Host": "10.1.2.3"}, timeout=30).status_code
    except requests.ConnectionError:
        return 0


def until(node: Host, name: str, kind: str, status: int) -> None:
    deadline = time.monotonic() + 90
    while probed(node, name, kind) != status:
        assert node.processes[name].poll() is None, (node.logs / name).read_text()
        assert time.monotonic() < deadline, (node.logs / name).read_text()
        time.sleep(0.1)  # the kubelet's period is longer


def finished(node: Host, name: str, command: list[str]) -> str:
    """Run a container to its end, which must be a success, and return its output."""
    backups = node.logs / f"{name}-backups"
    backups.mkdir(exist_ok=True)
    done = node.run(name, [word.replace("/backups", str(backups)) for word in command])
    assert done.returncode == 0, done.stderr
    return done.stdout


def end(node: Host, name: str) -> None:
    """Send the signal that follows the preStop hook; the pod must end well within the rest of its grace."""
    hook = PODS[name].container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    node.processes[name].send_signal(signal.SIGTERM)
    grace = PODS[name].spec["terminationGracePeriodSeconds"]
    assert node.processes[name].wait(grace - hook) == 0, (node.logs / name).read_text()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Host]:
    """Give a place for the pods, with databases without a table."""
    apps = {name: Dockerfile(project).unpack(tmp_path / name) for name, project in PROJECTS.items()}
    collector = Collector()
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    databases = {name: f"sqlite:///{tmp_path / name}.sqlite3" for name in PROJECTS}
    for name in PROJECTS:
        (tmp_path / f"{name}.sqlite3").touch()
    here = Host(
        {name: as_service(name) for name in (*WEB, *JOBS, *LOOPS, "orders-nightly")},
        apps,
        databases,
        collector,
        tmp_path,
    )
    try:
        yield here
    finally:
        for process in here.processes.values():
            process.kill()
            process.wait(30)
        collector.shutdown()
        collector.server_close()
        if os.environ.get("TEST_AMQP_URL"):
            take_away(here.exchange)


def test_the_pods_live_from_the_first_apply_to_their_end(node: Host) -> None:
    # Applied all at once, the services are alive and not ready, and a loop waits.
    for name in WEB:
        node.start(name)
    for name in WEB:
        until(node, name, "startup", 200)
        refused = requests.get(f"{node.url(name)}/readyz", timeout=30)
        assert (refused.status_code, probed(node, name, "liveness")) == (503, 200)
        assert refused.json()["detail"] == "Not ready: migrations."
    (wait,) = PODS["recovery"].spec["initContainers"]
    assert node.run("recovery", [*wait["command"][:-1], "0"]).returncode == 1

    # The jobs migrate, everything becomes ready, an order passes, and a night backs up and purges.
    for name in JOBS:
        finished(node, name, PODS[name].container["command"])
    for name in WEB:
        until(node, name, "readiness", 200)
    finished(node, "recovery", wait["command"])
    for name in LOOPS:
        node.start(name)
    for name in LOOPS:
        node.wait_until_healthy(name)
    order = requests.post(f"{node.url('orders-service')}/orders", json={"productId": 1, "quantity": 2}, timeout=30)
    assert order.status_code == 201, order.text

    night = finished(node, "orders-nightly", PODS["orders-nightly"].container["command"])
    assert "Ran 4 commands: 4 done, 0 failed." in night

    for name in (*WEB, *LOOPS):
        end(node, name)
