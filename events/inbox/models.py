"""The events that have taken effect."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class InboxEvent(models.Model):
    """One event, stored in the transaction of its effect; this row detects a second delivery."""

    source = models.CharField(max_length=255)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "event_id"], name="inbox_source_and_id")]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id} of {self.source}"
