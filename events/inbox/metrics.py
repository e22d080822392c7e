"""The outcomes of received events."""

from __future__ import annotations

from django.conf import settings
from prometheus_client import Counter

APPLIED, DUPLICATE, IGNORED, INVALID, FAILED = "applied", "duplicate", "ignored", "invalid", "failed"
DEAD = "dead"  # beside the outcome of its last attempt
UNKNOWN = "unknown"  # a type without a handler; a sender may invent any number of types

events_consumed_total = Counter("events_consumed_total", "Events received, by outcome.", ["type", "outcome"])


def count(kind: str, outcome: str) -> None:
    """Count one delivery."""
    events_consumed_total.labels(kind if kind in settings.INBOX else UNKNOWN, outcome).inc()


def start_dead_letters() -> None:
    """Begin the counters of dead letters at 0, so that a rate sees the first one."""
    for kind in (*settings.INBOX, UNKNOWN):
        events_consumed_total.labels(kind, DEAD)
