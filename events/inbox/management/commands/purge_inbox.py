from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from events.inbox.models import InboxEvent
from events.purging import PurgeCommand


class Command(PurgeCommand):
    help = (
        "Delete the records of events processed before a time. Their effects stay, but an event that arrives again\n"
        "takes effect again. So keep every event that may still be sent or redriven: at least 30 days."
    )
    examples = (
        "  manage.py purge_inbox --before 2026-09-01 --dry-run     how many\n"
        "  manage.py purge_inbox --before 90d --yes                from cron"
    )
    what = "processed events"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return InboxEvent.objects.filter(taken_at__lt=before)
