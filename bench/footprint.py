"""Memory of the compose stack, and the time to its first order: `python -m bench.footprint`.

The services of the stack run as local processes, with the commands and environments of docker-compose.yml, and as many
replicas. PostgreSQL and RabbitMQ are those of this machine (TEST_DATABASE_URL, TEST_AMQP_URL), and do the work of the
stack's. The memory is the proportional set size, in which shared pages count once. The gateway and the telemetry's
servers are measured apart: docs/operations/containers.md.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import requests

from tests.compose_host import PROJECTS, Collector, Host, host
from tests.containers import Dockerfile

ORDER = {"productId": 1, "quantity": 2}
LOAD = 2_000  # requests to each service before the memory is read


def pss_mb(pids: Iterable[int]) -> float:
    """Return the proportional set size of these processes, in MB."""
    kilobytes = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        kilobytes += int(re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[0])
    return kilobytes / 1024


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from tree(int(child))


def named(name: str) -> list[int]:
    """Return the processes of this name."""
    done = subprocess.run(["pgrep", "-x", name], capture_output=True, text=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


def core(stack: Host) -> list[str]:
    """Return what `docker compose up gateway` starts of our services, as its conditions say."""
    found: list[str] = []
    wanted = list(stack.services["gateway"]["depends_on"])
    while wanted:
        name = wanted.pop(0)
        if "build" in stack.services[name] and name not in found:
            found.append(name)
            wanted += stack.services[name].get("depends_on", {})
    return found


def place_order(stack: Host) -> None:
    answer = requests.post(f"{stack.url('orders-service')}/orders", json=ORDER, timeout=30)
    if answer.status_code != 201:
        raise SystemExit(f"POST /orders answers {answer.status_code}: {answer.text}")


def replicas(stack: Host, name: str) -> int:
    deploy = stack.services[name].get("deploy", {})
    return int(deploy.get("replicas", 1))


def main() -> None:
    collector = Collector()
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        apps = {}
        for service, project in PROJECTS.items():
            (directory / f"{service}-app").mkdir()
            apps[service] = Dockerfile(project).unpack(directory / f"{service}-app")
        with host(apps, collector, directory, "docker-compose.yml") as stack:
            started = time.monotonic()
            for name in core(stack):
                stack.bring_up(name)
            for name in stack.processes:
                stack.wait_until_healthy(name)
            place_order(stack)
            print(f"first order of the core     {time.monotonic() - started:6.1f} s after the start")
            for name in stack.services:
                stack.bring_up(name)
            for name in stack.processes:
                stack.wait_until_healthy(name)
            print(f"every service of ours       {time.monotonic() - started:6.1f} s after the start")
            session = requests.Session()
            for _ in range(LOAD):
                session.get(f"{stack.url('products-service')}/products/1", timeout=30)
                session.post(f"{stack.url('orders-service')}/orders", json=ORDER, timeout=30)
            total = 0.0
            for name, process in stack.processes.items():
                each, number = pss_mb(tree(process.pid)), replicas(stack, name)
                total += each * number
                print(f"{name:24} {number} x {each:6.0f} MB")
            for name in ("postgres", "beam.smp"):
                memory = pss_mb(named(name))
                total += memory
                print(f"{name:24} 1 x {memory:6.0f} MB")
            print(f"{'in all':24}     {total:6.0f} MB")
    collector.shutdown()


if __name__ == "__main__":
    main()
