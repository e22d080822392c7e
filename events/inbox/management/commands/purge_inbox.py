from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from events.inbox.models import InboxEvent
from events.purging import PurgeCommand


class Command(PurgeCommand):
    help = (
        "Forget which events were taken before a time, for good. Their effect stays; one that arrived again would\n"
        "have it a second time. So keep what may still be sent again, such as redriven: at least 30 days."
    )
    examples = (
        "  manage.py purge_inbox --before 2026-09-01 --dry-run     how many\n"
        "  manage.py purge_inbox --before 2026-09-01 --yes         from cron"
    )
    what = "taken events"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return InboxEvent.objects.filter(taken_at__lt=before)
