from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from invoices_project.invoices.models import Invoice
from ops.cli.purge import PurgeCommand


class Command(PurgeCommand):
    """Delete old invoices.

    Examples:
      manage.py purge_invoices --older-than 90d --dry-run     how many
      manage.py purge_invoices --older-than 90d --yes         from cron
    """

    noun, what = "invoice", "old"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return Invoice.objects.filter(created_at__lt=before)
