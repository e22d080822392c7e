from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from ops.cli.purge import PurgeCommand
from ops.database.batches import Batch
from orders_project.orders.models import KEY_LIFETIME
from orders_project.orders.purging import purge_keys
from orders_project.orders.selectors import orders_with_old_keys


class Command(PurgeCommand):
    """Delete the Idempotency-Keys of old orders: a key that comes again then places a new order.
    The orders stay. It works in batches as purge_orders does, and does not ask. A pending order keeps its key.

    Examples:
      manage.py purge_idempotency_keys                      older than 24 hours, from cron
      manage.py purge_idempotency_keys --older-than 7d --dry-run     how many there are

    If other transactions lock an order for the whole run, its key is left, and the run ends with 1.
    """

    asks = False  # a key of that age has no use any more
    default_age = KEY_LIFETIME
    noun, what = "key", "of orders placed"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return orders_with_old_keys(before)

    def batches(self, before: datetime, largest: int) -> Iterator[Batch]:
        return purge_keys(before=before, largest=largest)
