"""Queries for the outbox."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from events.outbox.models import OutboxEvent

PENDING, SENT, DEAD = "pending", "sent", "dead"
STATES = {
    PENDING: Q(sent_at=None, dead_at=None),
    SENT: Q(sent_at__isnull=False),
    DEAD: Q(dead_at__isnull=False),
}


def outbox_events(
    *,
    state: str | None = None,
    type: str | None = None,  # noqa: A002 - CloudEvents' name
    since: datetime | None = None,
) -> QuerySet[OutboxEvent]:
    """Return the events in the order in which they were recorded; `since` compares their own time."""
    events = OutboxEvent.objects.order_by("position")
    if state is not None:
        events = events.filter(STATES[state])
    if type is not None:
        events = events.filter(type=type)
    if since is not None:
        events = events.filter(time__gte=since)
    return events


def state_of(event: OutboxEvent) -> str:
    """Return the state of an event, one of STATES."""
    if event.sent_at is not None:
        return SENT
    return DEAD if event.dead_at is not None else PENDING
