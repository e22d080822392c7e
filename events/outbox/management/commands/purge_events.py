from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from events.outbox.models import OutboxEvent
from events.purging import PurgeCommand


class Command(PurgeCommand):
    help = "Delete events sent before a time. Waiting events and dead letters stay."
    examples = (
        "  manage.py purge_events --before 2026-11-01 --dry-run     how many\n"
        "  manage.py purge_events --before 30d --yes                from cron"
    )
    what = "sent events"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return OutboxEvent.objects.filter(sent_at__lt=before)
