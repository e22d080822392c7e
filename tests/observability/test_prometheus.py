"""The shipped Prometheus configuration works against the running services."""

from __future__ import annotations

from pathlib import Path

from tests.observability.prometheus_server import quick_duration, running_prometheus
from tests.processes import running_stack


def test_a_minute_of_a_rule_is_a_second() -> None:
    assert quick_duration("5m") == "5000ms"
    assert quick_duration("1h30m") == "90000ms"
    assert quick_duration("2m", shortest=3) == "3000ms"


def test_both_services_are_scraped(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        targets = {f"{name}-service": [f"127.0.0.1:{service.port}"] for name, service in vars(stack).items()}
        with running_prometheus(tmp_path, targets) as prometheus:
            prometheus.wait_for('up{job="orders-service"} == 1 and on () up{job="products-service"} == 1')

            assert prometheus.value('sum(argos_build_info{job="orders-service"})') == 1
            assert [rule for rule in prometheus.rules() if rule["health"] == "err"] == []
