from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from events.purging import PurgeCommand
from products_project.products.models import Reservation


class Command(PurgeCommand):
    help = (
        "Delete reservations that were cancelled before a time, for good; those that are held stay. Under a cancelled\n"
        "id nothing can be held; once it is deleted, a request that was under way all that time could hold it anew."
    )
    examples = (
        "  manage.py purge_reservations --before 2026-09-01 --dry-run     how many\n"
        "  manage.py purge_reservations --before 90d --yes                from cron"
    )
    what = "cancelled reservations"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return Reservation.objects.filter(status=Reservation.Status.CANCELLED, cancelled_at__lt=before)
