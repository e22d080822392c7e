from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from ops.cli.purge import PurgeCommand
from products_project.products.models import Reservation


class Command(PurgeCommand):
    """Delete reservations that were cancelled long ago; held ones stay. The id of a cancelled reservation can hold
    nothing. After the purge, a request with that id that is still on its way could hold stock.

    Examples:
      manage.py purge_reservations --older-than 30d --dry-run     how many
      manage.py purge_reservations --older-than 30d --yes         from cron
    """

    noun, what = "reservation", "cancelled"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return Reservation.objects.filter(status=Reservation.Status.CANCELLED, cancelled_at__lt=before)
