from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from events.outbox.models import OutboxEvent
from ops.cli.purge import PurgeCommand


class Command(PurgeCommand):
    """Delete events sent long ago. Waiting events and dead letters stay.

    Examples:
      manage.py purge_events --older-than 30d --dry-run     how many
      manage.py purge_events --older-than 30d --yes         from cron
    """

    noun, what = "event", "sent"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return OutboxEvent.objects.filter(sent_at__lt=before)
