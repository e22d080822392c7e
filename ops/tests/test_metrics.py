"""The common metrics: their labels are bounded, and several processes count as one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from rest_framework.test import APIClient

from ops.config.service import ROOT
from ops.telemetry import metrics


def count(**labels: str) -> float:
    return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0


@pytest.mark.parametrize(("method", "label"), [("GET", "GET"), ("BREW", "other"), ("get", "other"), ("", "other")])
def test_a_method_that_is_unknown_is_other(method: str, label: str) -> None:
    labels = {"method": label, "route": "/here", "status": "200"}
    before = count(**labels)

    metrics.observe_request(method, "/here", 200, 0.01)

    assert count(**labels) == before + 1


def test_the_build_is_described(client: APIClient) -> None:
    text = client.get("/metrics").content.decode()

    assert 'argos_build_info{service="plain-service",version="dev"} 1.0' in text


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "application/openmetrics-text; version=x", "\x00"])
def test_any_accept_header_gets_an_answer(client: APIClient, accept: str) -> None:
    answer = client.get("/metrics", HTTP_ACCEPT=accept)

    assert answer.status_code == 200
    assert b"http_requests_total" in answer.content


def test_without_proc_children_a_worker_reports_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", fail)

    assert metrics._worker_pids() == [os.getpid()]


# Two siblings below one parent, as gunicorn's workers are: one asks for the metrics of both.
PARENT = """
import subprocess, sys
sibling = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
asking = "import json; from ops.telemetry import metrics;" \\
    "print(json.dumps({f.name: f.samples[0].value for f in metrics.WorkerProcesses().collect()}))"
print(subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True).stdout)
sibling.kill()
sibling.wait()
"""


def test_process_metrics_are_those_of_all_workers() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT], cwd=ROOT, capture_output=True, text=True, check=True)

    found = json.loads(done.stdout)
    one = REGISTRY.get_sample_value("process_max_fds")
    assert found["process_max_fds"] == one  # the smallest, not the sum
    assert abs(found["process_start_time_seconds"] - time.time()) < 120
    assert found["process_open_fds"] >= 6  # three standard streams each
    assert found["process_resident_memory_bytes"] > 5_000_000
