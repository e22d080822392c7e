"""Metrics read during a scrape by the answering process: readiness, connections."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.core.checks import CheckMessage
from django.db import connections
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ops.config.service import ServiceConfig
from ops.diagnosis.database import connection_count
from ops.diagnosis.probe import Probe
from ops.diagnosis.remembered import OK, RememberedProbe
from ops.server import health
from ops.telemetry import metrics

CONNECTIONS_CACHED_FOR = timedelta(seconds=5)


class Readiness(Collector):
    """Report each result of /readyz, which is cached: a scrape costs as much as a probe."""

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily("service_ready", "1 where a probe of /readyz passes, else 0.", labels=["probe"])]

    def collect(self) -> Iterable[Metric]:
        (family,) = self.describe()
        for probe in health.PROBES:
            family.add_sample("service_ready", {"probe": probe.name}, float(probe.result(announce=False) == OK))
        return [family]


class DatabaseConnections(Collector):
    """Report the server's used connections; none on SQLite or while the server does not answer."""

    def __init__(self) -> None:
        probe = Probe("database.connections", self._read, "")
        self._probe = RememberedProbe("connections", probe, cached_for=CONNECTIONS_CACHED_FOR)
        self._used, self._limit = 0, 0

    def _read(self, _config: ServiceConfig) -> list[CheckMessage]:
        self._used, self._limit = connection_count()
        return []

    def describe(self) -> Iterable[Metric]:
        return [
            GaugeMetricFamily("database_connections", "Connections of all clients to the PostgreSQL server."),
            GaugeMetricFamily("database_connections_limit", "Connections that the server gives to applications."),
        ]

    def collect(self) -> Iterable[Metric]:
        used, limit = self.describe()
        # The probe of /readyz first, so that only one call waits for a dead server.
        database = next((probe for probe in health.PROBES if probe.name == "database"), None)
        if (
            connections["default"].vendor == "postgresql"
            and (database is None or database.result(announce=False) == OK)
            and self._probe.result(announce=False) == OK
        ):
            used.add_sample(used.name, {}, self._used)
            limit.add_sample(limit.name, {}, self._limit)
        return [used, limit]


metrics.register_collector(Readiness())
metrics.register_collector(DatabaseConnections())
