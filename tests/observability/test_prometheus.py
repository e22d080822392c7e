"""The shipped Prometheus configuration works against the running services."""

from __future__ import annotations

from tests.observability.prometheus_server import quick_duration
from tests.observability.watched_stack import WatchedStack


def test_a_minute_of_a_rule_is_a_second() -> None:
    assert quick_duration("5m") == "5000ms"
    assert quick_duration("1h30m") == "90000ms"
    assert quick_duration("2m", shortest=3) == "3000ms"


def test_both_services_are_scraped_with_the_metrics_that_alerts_need(watched: WatchedStack) -> None:
    for service in ("orders-service", "products-service"):
        for metric in ("argos_build_info", 'service_ready{probe="database"', "telemetry_spans_dropped_total"):
            name, _, labels = metric.partition("{")
            watched.prometheus.wait_for(f'{name}{{job="{service}"{", " * bool(labels)}{labels}}}')


def test_every_rule_is_evaluated_without_an_error(watched: WatchedStack) -> None:
    watched.prometheus.wait_for("slo:error_budget_remaining:ratio")

    assert [rule["name"] for rule in watched.prometheus.rules() if rule["health"] != "ok"] == []
