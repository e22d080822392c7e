"""A real Jaeger with the shipped configuration: other ports, a folder for its volume, and the tests' Prometheus."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
import yaml

from tests.observability.prometheus_server import wait_until_ready
from tests.processes import ROOT, free_port

PROGRAM = os.environ.get("JAEGER_BIN") or shutil.which("jaeger")
SHIPPED = ROOT / "jaeger"
SERVICE, OPERATION = "made-up-service", "GET /made-up"
LISTENERS = ("grpc", "otlp", "health", "ui", "ui_grpc", "counted", "own")


def free_ports() -> dict[str, int]:
    """Return a port for each of Jaeger's listeners."""
    return {name: free_port() for name in LISTENERS}


@dataclass
class Jaeger:
    """One Jaeger, which a test may kill and start again on the same folder."""

    directory: Path
    prometheus: str = "http://127.0.0.1:1"
    kept_percent: int = 100
    num_traces: int = 0  # the shipped one
    ports: dict[str, int] = field(default_factory=free_ports)
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Return a JAEGER_ENDPOINT."""
        return f"http://127.0.0.1:{self.ports['otlp']}/v1/traces"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['ui']}"

    @property
    def targets(self) -> list[str]:
        """Return what Prometheus scrapes."""
        return [f"127.0.0.1:{self.ports[name]}" for name in ("counted", "own")]

    @property
    def log(self) -> Path:
        return self.directory / "jaeger.log"

    def configuration(self) -> dict[str, Any]:
        """Return the shipped configuration with the places of this machine."""
        document: dict[str, Any] = yaml.safe_load((SHIPPED / "config.yaml").read_text())
        at = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        for kind, name in (("grpc", "grpc"), ("http", "otlp")):
            document["receivers"]["otlp"]["protocols"][kind]["endpoint"] = at[name]
        document["exporters"]["prometheus"]["endpoint"] = at["counted"]
        (reader,) = document["service"]["telemetry"]["metrics"]["readers"]
        reader["pull"]["exporter"]["prometheus"] |= {"host": "127.0.0.1", "port": self.ports["own"]}
        extensions = document["extensions"]
        extensions["healthcheckv2"]["http"]["endpoint"] = at["health"]
        extensions["jaeger_query"] |= {"http": {"endpoint": at["ui"]}, "grpc": {"endpoint": at["ui_grpc"]}}
        extensions["jaeger_query"]["ui"]["config_file"] = str(SHIPPED / "ui.json")
        storage = extensions["jaeger_storage"]
        folders = storage["backends"]["traces"]["badger"]["directories"]
        folders |= {name: str(self.directory / name) for name in folders}
        storage["metric_backends"]["span_metrics"]["prometheus"]["endpoint"] = self.prometheus
        if self.num_traces:
            document["processors"]["tail_sampling"]["num_traces"] = self.num_traces
        return document

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        assert PROGRAM
        config = self.directory / "config.yaml"
        config.write_text(yaml.safe_dump(self.configuration(), sort_keys=False))
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [PROGRAM, f"--config={config}"],
                env={"PATH": os.environ["PATH"], "TRACES_KEPT_PERCENT": str(self.kept_percent)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until_ready(f"http://127.0.0.1:{self.ports['health']}/status", self.process, self.log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def send(self, *, error: bool = False, seconds: float = 0.01, trace_state: str = "", count: int = 1) -> list[str]:
        """Send traces of one span each; return their ids."""
        ids = [uuid4().hex for _ in range(count)]
        now = time.time_ns()
        spans = [
            {
                "traceId": trace_id,
                "spanId": trace_id[:16],
                "name": OPERATION,
                "kind": 2,  # server
                "traceState": trace_state,
                "startTimeUnixNano": str(now - int(seconds * 1e9)),
                "endTimeUnixNano": str(now),
                "status": {"code": 2 if error else 0},
            }
            for trace_id in ids
        ]
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": SERVICE}}]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
        requests.post(self.endpoint, json=body, timeout=10).raise_for_status()
        return ids

    def has(self, trace_id: str) -> bool:
        """Tell whether its API finds the trace."""
        return requests.get(f"{self.url}/api/traces/{trace_id}", timeout=10).status_code == 200

    def wait_for(self, *trace_ids: str, within: float = 60.0) -> None:
        """Wait until it finds all of these traces."""
        deadline = time.monotonic() + within
        while missing := [trace_id for trace_id in trace_ids if not self.has(trace_id)]:
            assert time.monotonic() < deadline, f"within {within} s not kept: {missing}\n{self.log.read_text()[-2000:]}"
            time.sleep(0.2)


@contextmanager
def running_jaeger(jaeger: Jaeger) -> Iterator[Jaeger]:
    """Yield the Jaeger while it runs; end what runs then."""
    jaeger.start()
    try:
        yield jaeger
    finally:
        jaeger.kill()
