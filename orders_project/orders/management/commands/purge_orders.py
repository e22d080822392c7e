from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from ops.cli.purge import PurgeCommand
from ops.database.batches import Batch
from orders_project.orders.purging import DELETIONS_A_SECOND, purge_orders
from orders_project.orders.selectors import orders_before, purgeable_orders


class Command(PurgeCommand):
    """Delete old orders, the oldest first, for good.
    It works in small batches with pauses, so that clients go on placing orders: after a slow batch the next one
    is smaller. A signal ends it after the batch in hand; another run goes on from there.
    It keeps, and counts, orders that recover_orders still has work for, and orders with an Idempotency-Key
    younger than 24 hours.

    Examples:
      manage.py purge_orders --older-than 90d --dry-run     count them and estimate the time
      manage.py purge_orders --older-than 90d               ask before deleting
      manage.py purge_orders --older-than 52w --yes         from cron
      manage.py purge_orders --before 2026-09-01 --yes --batch 200 --pause 500     slower, with less load

    If other transactions lock an order for the whole run, it is left, and the run ends with 1.
    """

    noun, what = "order", "placed"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return purgeable_orders(before)

    def batches(self, before: datetime, largest: int) -> Iterator[Batch]:
        return purge_orders(before=before, largest=largest)

    def kept(self, before: datetime) -> tuple[int, str]:
        kept = orders_before(before).count() - purgeable_orders(before).count()
        return kept, "not settled yet, or with a young key"

    def estimate(self, total: int, *, batch: int, pause: timedelta) -> timedelta:
        return timedelta(seconds=total / DELETIONS_A_SECOND) + total // batch * pause  # most of it is pauses
