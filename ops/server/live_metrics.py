"""Metrics that are looked up when /metrics is asked for them, in the process that answers: readiness, connections."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import connections
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ops.server import health
from ops.telemetry import metrics

CONNECTIONS_CACHED_FOR = timedelta(seconds=5)
CONNECTIONS = """
    SELECT count(*), current_setting('max_connections')::int
    FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


class Readiness(Collector):
    """Show each verdict of /readyz, which remembers it for a moment: a scrape costs what a probe costs."""

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily("service_ready", "1 where a probe of /readyz passes, else 0.", labels=["probe"])]

    def collect(self) -> Iterable[Metric]:
        (family,) = self.describe()
        for probe in health.PROBES:
            family.add_sample("service_ready", {"probe": probe.name}, float(probe.verdict(announce=False) == health.OK))
        return [family]


class DatabaseConnections(Collector):
    """Show how many of the server's connections are used; nothing on SQLite, or while the server does not answer."""

    def __init__(self) -> None:
        self._probe = health.Probe("connections", self._read, cached_for=CONNECTIONS_CACHED_FOR)
        self._used, self._limit = 0, 0

    def _read(self) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(CONNECTIONS)
            self._used, self._limit = cursor.fetchone()

    def describe(self) -> Iterable[Metric]:
        return [
            GaugeMetricFamily("database_connections", "Connections of all clients to the PostgreSQL server."),
            GaugeMetricFamily("database_connections_limit", "The server's max_connections."),
        ]

    def collect(self) -> Iterable[Metric]:
        used, limit = self.describe()
        # The probe of /readyz first: what waits for a dead server waits once.
        database = next((probe for probe in health.PROBES if probe.name == "database"), None)
        if (
            connections["default"].vendor == "postgresql"
            and (database is None or database.verdict(announce=False) == health.OK)
            and self._probe.verdict(announce=False) == health.OK
        ):
            used.add_sample(used.name, {}, self._used)
            limit.add_sample(limit.name, {}, self._limit)
        return [used, limit]


metrics.register_collector(Readiness())
metrics.register_collector(DatabaseConnections())
