"""What the relay counts. It serves no /metrics: `relay_events` leaves this with the metrics of commands."""

from __future__ import annotations

from prometheus_client import Counter

SENT, FAILED, DEAD = "sent", "failed", "dead"

events_published_total = Counter(
    "events_published_total", "Attempts to send an event, by how they ended.", ["type", "outcome"], registry=None
)
