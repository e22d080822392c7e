from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from events.inbox.models import InboxEvent
from ops.cli.purge import PurgeCommand


class Command(PurgeCommand):
    """Delete the records of events processed long ago. Their effects stay, but an event that arrives again takes
    effect again. So keep every event that may still be sent or redriven: at least 30 days.

    Examples:
      manage.py purge_inbox --older-than 30d --dry-run     how many
      manage.py purge_inbox --older-than 30d --yes         from cron
    """

    noun, what = "event", "processed"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return InboxEvent.objects.filter(taken_at__lt=before)
