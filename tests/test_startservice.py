"""scripts/startservice makes a service that passes the tests of this repository, and that events reach."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.checkout import copy_checkout, link_environment
from tests.made_service import run, serving
from tests.processes import ROOT, free_port
from tests.test_development_page import page_with

# A keyword, apps (of a package, Django and ops), a package, a folder, a path.
TAKEN = ("class", "axes", "staticfiles", "ops", "events", "tests", "metrics")
STATIC = [f"tests/test_{name}.py" for name in ("architecture", "compose_files", "dashboards", "kubernetes_files")]
OF_THE_SERVICE = [f"tests/{name}.py" for name in ("observability/test_shipped_files", "test_deployed_configuration")]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of this repository with a further service, whose name changes the order of imports."""
    checkout = copy_checkout(tmp_path_factory.mktemp("startservice") / "argos")
    link_environment(checkout)
    done = run(checkout, "scripts/startservice", "shipments", "--port", "3003")
    assert "Made shipments_project." in done.stdout
    return checkout


def test_its_own_tests_and_those_of_the_repository_pass(checkout: Path) -> None:
    run(checkout, "-m", "pytest", "-q", "-c", "shipments_project/pytest.ini", "shipments_project")
    run(checkout, "-m", "pytest", "-q", "-c", "tests/pytest.ini", *STATIC)
    run(checkout, "-m", "ruff", "format", "--check", ".")
    run(checkout, "-m", "ruff", "check", ".")
    run(checkout, "scripts/document-config", "--check")
    subprocess.run([Path(sys.executable).parent / "yamllint", "--strict", "."], cwd=checkout, check=True)


def test_it_is_deployed_and_watched(checkout: Path, tmp_path: Path) -> None:
    run(checkout, "-m", "pytest", "-q", "-c", "tests/pytest.ini", *OF_THE_SERVICE, "-k", "shipments")
    run(checkout, "-m", "prometheus.make_slo_rules", "--check")
    run(checkout, "-m", "kubernetes.make_prometheus_rule", "--check")
    run(checkout, "-m", "prometheus.alert_tests", str(tmp_path))
    alerts = {"ServiceDown": "shipments-service", "AvailabilityBudgetBurn": "1h/5m", "LatencyBudgetBurn": "1h/5m"}
    files = [
        path
        for path in tmp_path.iterdir()
        if "shipments-service" in path.read_text() and alerts[path.stem.partition("-")[2]] in path.read_text()
    ]
    assert len(files) == len(alerts)
    done = subprocess.run([*("promtool", "test", "rules"), *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_order_arrives_there(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, orders = free_port(), free_port()
    url = f"http://localhost:{port}"
    (checkout / ".env").write_text(f"EVENTS_URL={url}/events\nEVENTS_RECEIVER=shipments-service\n")
    with serving(checkout, f"SHIPMENTS_PORT={port}", products=free_port(), orders=orders):
        order = requests.post(
            f"http://localhost:{orders}/orders", json={"productId": 2, "quantity": 3}, timeout=30
        ).json()

        page = page_with(f"{url}/dev?search={order['id']}", "POST /orders → 201", "POST /events → 204")
        shipment = requests.get(f"{url}/shipments/{order['id']}", timeout=30).json()

    assert "shipments-service" in page
    assert (shipment["orderId"], shipment["productId"], shipment["quantity"]) == (order["id"], 2, 3)


@pytest.mark.parametrize(
    ("name", "port", "problem"),
    [
        ("Invoice", "3003", "is not a plural"),
        ("orders", "3003", "the name orders is taken"),
        *((name, "3003", f"the name {name} is taken") for name in TAKEN),
        ("invoices", "3002", "another service has it"),
        ("invoices", "80", "must be from 1024 to 65535"),
    ],
)
def test_a_name_or_a_port_that_cannot_be_is_refused(name: str, port: str, problem: str) -> None:
    assert problem in run(ROOT, "scripts/startservice", name, "--port", port, code=2).stderr
