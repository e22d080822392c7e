"""What becomes of events that arrive."""

from __future__ import annotations

from django.conf import settings
from prometheus_client import Counter

APPLIED, DUPLICATE, IGNORED, INVALID, FAILED = "applied", "duplicate", "ignored", "invalid", "failed"
UNKNOWN = "unknown"  # a type that nothing is done for: anybody may make up another

events_consumed_total = Counter("events_consumed_total", "Events taken, by what became of them.", ["type", "outcome"])


def count(kind: str, outcome: str) -> None:
    """Count one delivery."""
    events_consumed_total.labels(kind if kind in settings.INBOX else UNKNOWN, outcome).inc()
