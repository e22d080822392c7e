"""The counters of the relay. `relay_events` does not serve /metrics; it reports them with the metrics of commands."""

from __future__ import annotations

from prometheus_client import Counter

SENT, FAILED, DEAD = "sent", "failed", "dead"

events_published_total = Counter(
    "events_published_total", "Attempts to send an event, by outcome.", ["type", "outcome"], registry=None
)
