from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from ops.cli.command import Result
from orders_project.orders.management.purge_command import PurgeCommand
from orders_project.orders.models import KEY_LIFETIME
from orders_project.orders.purging import purge_keys
from orders_project.orders.selectors import orders_with_old_keys


class Command(PurgeCommand):
    help = (
        "Forget the Idempotency-Keys of orders older than a duration: a key that comes again then places a new order.\n"
        "The orders stay. It works in batches as purge_orders does; a pending order keeps its key."
    )
    examples = (
        "  manage.py purge_idempotency_keys                      those older than 24 hours, from cron\n"
        "  manage.py purge_idempotency_keys --older-than 7d --dry-run     how many there are\n\n"
        "Where others held on to an order for the whole run, its key is left, and the run ends with 1."
    )
    oldest_by_default = KEY_LIFETIME
    noun = "key"

    def perform(self, *, older_than: timedelta, batch: int, pause: int, dry_run: bool, **options: Any) -> Result:
        cutoff = timezone.now() - older_than
        what = f"of orders placed before {cutoff:%Y-%m-%dT%H:%M:%SZ}"
        total = orders_with_old_keys(cutoff).count()
        if dry_run:
            sentence = f"Would purge {self.count(total)} {what}. Nothing was changed."
            return Result(sentence, {"keys": total}, details={"dryRun": True})

        counts = self.purge(purge_keys(before=cutoff, largest=batch), pause, total)
        counts["left"] = orders_with_old_keys(cutoff).count()
        sentence = f"Purged {self.count(counts['purged'])} {what}."
        if not counts["left"]:
            return Result(sentence, counts)
        why = self.why_left()
        return Result(f"{sentence} {counts['left']} are left: {why}. Run it again to go on.", counts, [why])
