"""The alerts of the story: the shipped rules on this machine's Prometheus and Alertmanager, a minute in a second."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.observability.alertmanager_server import running_alertmanager
from tests.observability.prometheus_server import QUICK, Prometheus, quick_rules, running_prometheus
from tests.observability.webhook_sink import webhook_sink
from tests.processes import ROOT

PROGRAMS = (("prometheus",), ("prometheus-alertmanager", "alertmanager"))  # of each, one name is enough
JOB = re.compile(r'job="([\w-]+)"')
AGE = re.compile(r"(_age_seconds\b[^<>]*> )(\d+)")
MISSING = (
    "Alerts: none, as Prometheus or Alertmanager is missing. "
    "On Debian: apt-get install prometheus prometheus-alertmanager"
)


@dataclass
class Alert:
    """A time in which an alert fired, in seconds of the run; `ends` is None while it does."""

    name: str
    service: str
    severity: str
    begins: float
    ends: float | None = None
    is_slow: bool = False  # a burn rate, which looks back for minutes
    firing: set[str] = field(default_factory=set)

    @property
    def runbook(self) -> str:
        return f"docs/runbooks/{self.name}.md"

    def __str__(self) -> str:
        return f"{self.name} of {self.service}, {self.severity}"


@dataclass
class Watch:
    """The alerts that Alertmanager sends; `begun` is the time of the run's second 0."""

    prometheus: Prometheus
    messages: Sequence[Mapping[str, Any]]  # the webhook appends to it
    begun: float = 0.0
    alerts: list[Alert] = field(default_factory=list)
    read: int = 0

    def __str__(self) -> str:
        return (
            f"Alerts: the shipped rules on {self.prometheus.url}/alerts, {QUICK} times as fast: "
            "a rule that waits a minute waits a second here."
        )

    @property
    def open(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.ends is None]

    def news(self) -> Iterator[str]:
        """Yield what has come since the last call: alerts that fire, and alerts that are resolved."""
        while self.read < len(self.messages):
            message = self.messages[self.read]
            self.read += 1
            yield from self._fires(message) if message["status"] == "firing" else self._ends(message)

    def _of(self, message: Mapping[str, Any]) -> Alert | None:
        wanted = message["labels"]["alertname"], message["labels"]["service"]
        return next((alert for alert in self.open if (alert.name, alert.service) == wanted), None)

    def _fires(self, message: Mapping[str, Any]) -> Iterator[str]:
        labels, alert = message["labels"], self._of(message)
        if alert is None:
            alert = Alert(labels["alertname"], labels["service"], labels["severity"], self._second(message["startsAt"]))
            alert.is_slow = "window" in labels
            self.alerts.append(alert)
            yield f"alert: {alert}"
        elif (alert.severity, labels["severity"]) == ("warning", "critical"):
            alert.severity = "critical"
            alert.firing.clear()  # Alertmanager suppresses the warning from now on
            yield f"alert: {alert}"
        if alert.severity == labels["severity"]:
            alert.firing.add(message["fingerprint"])

    def _ends(self, message: Mapping[str, Any]) -> Iterator[str]:
        alert = self._of(message)
        if alert is not None and message["fingerprint"] in alert.firing:
            alert.firing.remove(message["fingerprint"])
            if not alert.firing:
                alert.ends = self._second(message["endsAt"])
                yield f"resolved: {alert}"

    def _second(self, time: str) -> float:
        return datetime.fromisoformat(time).timestamp() - self.begun


def missing() -> bool:
    """Tell whether this machine lacks one of the programs."""
    return not all(any(map(shutil.which, names)) for names in PROGRAMS)


@contextmanager
def watching(targets: Mapping[str, str]) -> Iterator[Watch]:
    """Yield the watch over these targets, addresses by job, once Prometheus has scraped them."""

    def rules(source: Path) -> dict[str, Any]:
        return of_this_story(quick_rules(source), set(targets))

    with ExitStack() as exits:
        directory = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="argos-demo-")))
        sink = exits.enter_context(webhook_sink())
        alertmanager = exits.enter_context(running_alertmanager(directory, sink.url))
        prometheus = exits.enter_context(
            running_prometheus(
                directory,
                {job: [address] for job, address in targets.items()},
                alertmanager=alertmanager.address,
                rules=rules,
                options=[f"--web.user-assets={ROOT / 'docs'}"],
            )
        )
        for job in targets:
            prometheus.wait_for(f'up{{job="{job}"}} == 1')
        yield Watch(prometheus, sink.alerts)


def of_this_story(document: dict[str, Any], jobs: set[str]) -> dict[str, Any]:
    """Return the rules without those about other jobs, such as the gateway, and with ages as short as durations."""
    for group in document["groups"]:
        about = ((rule, set(JOB.findall(rule["expr"]))) for rule in group["rules"])
        group["rules"] = [rule for rule, named in about if not named or named & jobs]
        for rule in group["rules"]:
            rule["expr"] = AGE.sub(lambda found: f"{found[1]}{int(found[2]) / QUICK:g}", rule["expr"])
    return document
