from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from ops.cli.command import Result
from ops.cli.durations import roughly
from orders_project.orders.management.purge_command import PurgeCommand
from orders_project.orders.purging import DELETIONS_A_SECOND, estimate, purge_orders
from orders_project.orders.selectors import orders_before, purgeable_orders


class Command(PurgeCommand):
    help = (
        "Delete orders older than a duration, the oldest first, for good.\n"
        "It works in small batches with pauses, so that orders are placed meanwhile as before: a batch that took long\n"
        "makes the next one smaller. A signal ends it after the batch in hand; another run goes on from there.\n"
        "It keeps, and counts, orders that recover_orders has something to do for, and those whose Idempotency-Key is\n"
        "younger than 24 hours."
    )
    examples = (
        "  manage.py purge_orders --older-than 90d --dry-run     how many, and how long it would take\n"
        "  manage.py purge_orders --older-than 90d               asks before it deletes\n"
        "  manage.py purge_orders --older-than 52w --yes         from cron\n"
        "  manage.py purge_orders --older-than 90d --yes --batch 200 --pause 500     slower, still more careful\n\n"
        "Where others held on to an order for the whole run, it is left, and the run ends with 1."
    )
    destroys = True

    def perform(
        self, *, older_than: timedelta, batch: int, pause: int, dry_run: bool, yes: bool, **options: Any
    ) -> Result:
        cutoff = timezone.now() - older_than
        what = f"placed before {cutoff:%Y-%m-%dT%H:%M:%SZ}"
        total = purgeable_orders(cutoff).count()
        kept = orders_before(cutoff).count() - total
        keeps = f" {self.count(kept)} would stay: not settled yet, or with a young key." if kept else ""
        if dry_run:
            takes = estimate(total, largest=batch, pause=timedelta(milliseconds=pause))
            return Result(
                f"Would purge {self.count(total)} {what}, in about {roughly(takes)}, going by {DELETIONS_A_SECOND} "
                f"deletions a second as measured once and {pause} ms after each {batch}.{keeps} Nothing was changed.",
                {"orders": total, "kept": kept, "estimated_seconds": round(takes.total_seconds())},
                details={"dryRun": True},
            )
        self.confirm(f"This deletes {self.count(total)} {what} for good.", yes=yes)

        counts = self.purge(purge_orders(before=cutoff, largest=batch), pause, total)
        counts["left"] = purgeable_orders(cutoff).count()
        counts["kept"] = orders_before(cutoff).count() - counts["left"]
        sentence = f"Purged {self.count(counts['purged'])} {what}."
        if counts["kept"]:
            sentence += f" Kept {self.count(counts['kept'])}: not settled yet, or with a young key."
        if not counts["left"]:
            return Result(sentence, counts)
        why = self.why_left()
        return Result(f"{sentence} {counts['left']} are left: {why}. Run it again to go on.", counts, [why])
