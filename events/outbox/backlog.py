"""The lag of the relay, for the /metrics of the service."""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from events.outbox.models import OutboxEvent
from ops.telemetry.backlog import register_backlog


def register() -> None:
    """Register the gauges of the outbox."""
    register_backlog("outbox_events_pending", "Events not sent yet.", count_pending)
    register_backlog(
        "outbox_oldest_pending_age_seconds",
        "Age of the oldest event not sent yet; 0 while EVENTS_URL is unset.",
        oldest_pending_age,
    )
    register_backlog("outbox_events_dead", "Dead letters.", count_dead)


def count_pending() -> float:
    return OutboxEvent.objects.filter(sent_at=None, dead_at=None).count()


def count_dead() -> float:
    return OutboxEvent.objects.filter(dead_at__isnull=False).count()


def oldest_pending_age() -> float:
    """Return the age in seconds of the oldest event, 0 if there is none."""
    if settings.CONFIG.events_url is None:
        return 0.0
    pending = OutboxEvent.objects.filter(sent_at=None, dead_at=None)
    oldest = pending.order_by("position").values_list("time", flat=True).first()
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0
