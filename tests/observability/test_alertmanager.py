"""Alertmanager sends actionable alerts to the configured webhook and suppresses redundant ones."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.observability.alertmanager_server import SHIPPED, Alertmanager, running_alertmanager
from tests.observability.webhook_sink import webhook_sink


def raise_alert(alertmanager: Alertmanager, *, ended: bool = False, **labels: str) -> None:
    """Send an alert as Prometheus does, firing or resolved."""
    now = datetime.now(UTC)
    alert = {"labels": labels, "startsAt": (now - timedelta(minutes=1)).isoformat()}
    if ended:
        alert["endsAt"] = now.isoformat()
    requests.post(f"{alertmanager.url}/api/v2/alerts", json=[alert], timeout=5).raise_for_status()


@pytest.mark.parametrize(("severity", "receiver"), [("critical", "pages"), ("warning", "tickets"), ("", "tickets")])
def test_a_critical_alert_pages_and_any_other_is_a_ticket(severity: str, receiver: str) -> None:
    config = SHIPPED / "alertmanager.yml"

    # In quotes: Alertmanager 0.34 warns on standard output of an empty value without them.
    labels = ('alertname="X"', f'severity="{severity}"')
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={config}", *labels],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert done.stdout.strip() == receiver


def test_a_warning_waits_for_the_end_of_its_critical(tmp_path: Path) -> None:
    with webhook_sink() as sink, running_alertmanager(tmp_path, sink.url) as alertmanager:
        one: dict[str, Any] = {"alertname": "SlowResponses", "service": "orders-service"}
        raise_alert(alertmanager, **one, severity="critical")
        sink.wait_for("firing", **one, severity="critical")
        raise_alert(alertmanager, **one, severity="warning")
        # Of another service, so it is not suppressed; the suppressed alert would arrive before it.
        raise_alert(alertmanager, **(one | {"service": "products-service"}), severity="warning")
        sink.wait_for("firing", service="products-service", severity="warning")
        silent = [alert for alert in sink.alerts if alert["labels"]["severity"] == "warning"]
        assert {alert["labels"]["service"] for alert in silent} == {"products-service"}

        raise_alert(alertmanager, **one, severity="critical", ended=True)

        sink.wait_for("resolved", **one, severity="critical")
        sink.wait_for("firing", **one, severity="warning")
        assert sink.receivers == {"pages", "tickets"}


def test_a_service_that_is_down_has_no_warnings_besides(tmp_path: Path) -> None:
    with webhook_sink() as sink, running_alertmanager(tmp_path, sink.url) as alertmanager:
        raise_alert(alertmanager, alertname="ServiceDown", service="orders-service", severity="critical")
        sink.wait_for("firing", alertname="ServiceDown")
        raise_alert(alertmanager, alertname="SlowQueries", service="orders-service", severity="warning")
        raise_alert(alertmanager, alertname="SlowQueries", service="products-service", severity="warning")

        sink.wait_for("firing", alertname="SlowQueries", service="products-service")

        states = {a["labels"]["service"]: a["status"]["state"] for a in alertmanager.alerts() if "Slow" in str(a)}
        assert states == {"orders-service": "suppressed", "products-service": "active"}


def test_without_a_webhook_it_starts_and_shows_alerts_on_its_page(tmp_path: Path) -> None:
    with running_alertmanager(tmp_path, "") as alertmanager:
        raise_alert(alertmanager, alertname="NotReady", service="orders-service", severity="critical")

        assert [alert["labels"]["alertname"] for alert in alertmanager.alerts()] == ["NotReady"]
        config = requests.get(f"{alertmanager.url}/api/v2/status", timeout=5).json()["config"]["original"]
        assert "webhook" not in config
