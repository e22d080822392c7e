"""/metrics has the readiness of the service and the used connections of its database."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from ops.diagnosis.probe import Probe, failure
from ops.diagnosis.registry import REACHABLE
from ops.diagnosis.remembered import RememberedProbe
from ops.server import health
from ops.server.scrape_gauges import DatabaseConnections
from ops.telemetry import metrics

REFUSED = Probe("test.refused", lambda _: [failure("not today", "")], "")


def samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("probe", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.django_db(transaction=True)
def test_each_probe_has_a_series(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    probes = (RememberedProbe("shutdown", health.SHUTDOWN), RememberedProbe("database", REFUSED))
    monkeypatch.setattr(health, "PROBES", probes)

    found = samples(client.get("/metrics").content.decode())

    assert found["service_ready", "shutdown"] == 1
    assert found["service_ready", "database"] == 0


@pytest.mark.django_db(transaction=True)
def test_several_workers_have_one_series_each_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(health, "PROBES", (RememberedProbe("shutdown", health.SHUTDOWN),))

    text = generate_latest(metrics.current_registry()).decode()

    assert text.count("service_ready{") == 1
    assert samples(text)["service_ready", "shutdown"] == 1


@pytest.mark.django_db(transaction=True)
def test_the_connections_of_postgresql_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBES", (RememberedProbe("database", REACHABLE),))

    used, limit = (metric.samples for metric in DatabaseConnections().collect())

    if connection.vendor == "postgresql":
        assert 1 <= used[0].value <= limit[0].value
    else:
        assert used == limit == []


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_costs_the_series_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBES", (RememberedProbe("database", REFUSED),))
    collector = DatabaseConnections()
    monkeypatch.setattr(collector, "_probe", RememberedProbe("connections", REFUSED))

    assert [metric.samples for metric in collector.collect()] == [[], []]

    monkeypatch.setattr(health, "PROBES", ())
    assert [metric.samples for metric in collector.collect()] == [[], []]
