"""Each fault fires its alert at the webhook, and its end resolves the alert."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest
import requests

from tests.gateway import CLIENTS, Gateway
from tests.observability.watched_stack import WatchedStack
from tests.otlp_receiver import otlp_receiver
from tests.processes import ROOT, manage
from tests.raw_http import request

needs_postgresql = pytest.mark.skipif(
    not os.environ.get("TEST_DATABASE_URL"), reason="a SQLite database has no wire to cut; CI has PostgreSQL"
)
BURNING: dict[str, Any] = {"severity": "critical", "window": "1h/5m"}


def test_products_killed(watched: WatchedStack) -> None:
    since = watched.sink.mark()
    # By its instance, as the alert for a missing target has the same name and fires while Prometheus starts.
    service_down: dict[str, Any] = {"alertname": "ServiceDown", "instance": f"127.0.0.1:{watched.products.port}"}
    watched.products.kill()
    try:
        down = watched.sink.wait_for("firing", since=since, service="products-service", **service_down)
        for alert, severity in (
            ("ProductsUnavailableForOrders", "critical"),
            ("HighErrorRate", "critical"),
            ("CircuitBreakerOpen", "warning"),
            ("RetryBudgetExhausted", "warning"),
        ):
            watched.sink.wait_for("firing", since=since, alertname=alert, service="orders-service", severity=severity)
        watched.sink.wait_for("firing", since=since, alertname="GatewayErrors", service="gateway", severity="critical")
        watched.sink.wait_for(
            "firing", since=since, alertname="AvailabilityBudgetBurn", slo="orders-availability", **BURNING
        )
    finally:
        watched.products.start(ready_within=30)

    recovered = watched.sink.mark()
    watched.sink.wait_for("resolved", since=since, **service_down)
    for alert, service in (
        ("ProductsUnavailableForOrders", "orders-service"),
        ("HighErrorRate", "orders-service"),
        ("CircuitBreakerOpen", "orders-service"),
        ("RetryBudgetExhausted", "orders-service"),
        ("GatewayErrors", "gateway"),
    ):
        watched.sink.wait_for("resolved", since=since, alertname=alert, service=service)
    watched.sink.wait_for("resolved", since=recovered, alertname="AvailabilityBudgetBurn", **BURNING)
    # Three clicks: the message, its runbook in Prometheus, and the queries in it.
    assert down["annotations"]["summary"].startswith("products-service does not answer: ")
    assert down["labels"]["runbook_url"] == down["annotations"]["runbook_url"]
    runbook = requests.get(down["labels"]["runbook_url"], timeout=5)
    assert runbook.text == (ROOT / "docs/runbooks/ServiceDown.md").read_text()


def test_a_client_sends_more_than_the_gateway_allows(watched: WatchedStack) -> None:
    since = watched.sink.mark()
    refused: dict[str, Any] = {"alertname": "GatewayRefusesClients", "service": "gateway"}
    ending = threading.Event()
    client = threading.Thread(target=send_too_much, args=(watched.door, ending))
    client.start()
    try:
        watched.sink.wait_for("firing", since=since, **refused, severity="warning")
    finally:
        ending.set()
        client.join()

    watched.sink.wait_for("resolved", since=since, **refused)
    assert watched.door.answers()["429", "gateway"] > 0


def send_too_much(door: Gateway, ending: threading.Event) -> None:
    """Send 500 requests a second from one address, which may send 50."""
    address = next(CLIENTS)
    while not ending.wait(0.2):
        with door.connect(address) as connection:
            connection.sendall(b"GET /products/1 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 99)
            connection.sendall(request(b"GET", b"/products/1"))
            while connection.recv(65536):
                pass


@needs_postgresql
def test_the_database_of_products_is_slow_and_everything_above_it(watched: WatchedStack) -> None:
    since = watched.sink.mark()
    watched.wires["products"].delay = 0.4  # a read makes one query
    try:
        for alert, service in (
            ("SlowQueries", "products-service"),
            ("SlowResponses", "products-service"),
            ("SlowResponses", "orders-service"),
        ):
            watched.sink.wait_for("firing", since=since, alertname=alert, service=service)
        for slo in ("products-latency", "calls-latency", "orders-latency"):
            # In either pair of windows, as the longer ones include healthy times of earlier tests.
            watched.sink.wait_for("firing", since=since, alertname="LatencyBudgetBurn", slo=slo, severity="critical")
    finally:
        watched.wires["products"].delay = 0

    recovered = watched.sink.mark()
    for service in ("products-service", "orders-service"):
        watched.sink.wait_for("resolved", since=recovered, alertname="SlowResponses", service=service)
    watched.sink.wait_for("resolved", since=recovered, alertname="SlowQueries", service="products-service")


@needs_postgresql
def test_the_database_of_orders_is_unreachable(watched: WatchedStack) -> None:
    since = watched.sink.mark()
    watched.wires["orders"].cut()
    try:
        for alert in ("NotReady", "DatabaseErrors", "HighErrorRate"):
            watched.sink.wait_for("firing", since=since, alertname=alert, service="orders-service", severity="critical")
    finally:
        watched.wires["orders"].restore()

    for alert in ("NotReady", "DatabaseErrors", "HighErrorRate"):
        watched.sink.wait_for("resolved", since=since, alertname=alert, service="orders-service")


def test_the_collector_of_traces_is_away(watched: WatchedStack) -> None:
    watched.sink.wait_for("firing", alertname="TelemetryDropped", service="orders-service")

    since = watched.sink.mark()
    with otlp_receiver(port=watched.collector_port) as collector:
        watched.sink.wait_for("resolved", since=since, alertname="TelemetryDropped", service="orders-service")

        assert {span.service for span in collector.spans} == {"orders-service", "products-service"}


def test_a_command_fails_and_another_is_overdue(watched: WatchedStack) -> None:
    since = watched.sink.mark()
    env = watched.products.env
    assert manage("products_project", "seed_products", "--file", "/nowhere.csv", env=env).returncode == 2

    group = f"{watched.pushgateway}/metrics/job/orders-service/command/backup"
    success = 'ops_command_last_success_timestamp_seconds{{service="orders-service",command="backup"}} {:.0f}\n'
    requests.put(group, data=success.format(time.time() - 27 * 3600), timeout=5)

    failed = watched.sink.wait_for("firing", since=since, alertname="CommandFailed", service="products-service")
    overdue = watched.sink.wait_for("firing", since=since, alertname="CommandOverdue", service="orders-service")
    assert (failed["labels"]["command"], overdue["labels"]["command"]) == ("seed_products", "backup")

    assert manage("products_project", "seed_products", env=env).returncode == 0
    requests.put(group, data=success.format(time.time()), timeout=5)
    watched.sink.wait_for("resolved", since=since, alertname="CommandFailed", service="products-service")
    watched.sink.wait_for("resolved", since=since, alertname="CommandOverdue", service="orders-service")


def test_no_summary_is_left_with_a_hole(watched: WatchedStack) -> None:
    assert [alert for alert in watched.sink.alerts if "<" in alert["annotations"]["summary"]] == []
