"""The counter of the relay, for the /metrics of `relay_events`: the web process sends no event."""

from __future__ import annotations

from prometheus_client import Counter

SENT, FAILED, DEAD = "sent", "failed", "dead"

events_published_total = Counter(
    "events_published_total", "Attempts to send an event, by outcome.", ["type", "outcome"], registry=None
)
