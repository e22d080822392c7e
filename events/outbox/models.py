"""What is to be announced, stored together with what it tells of."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

LONGEST_ERROR = 500


class OutboxEvent(models.Model):
    """One event: pending until it is sent, or a dead letter once sending it failed too often.

    `position` is the order of one subject's events: a later event of it is recorded by a later transaction.
    """

    position = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    data = models.JSONField()
    time = models.DateTimeField(db_default=Now())
    traceparent = models.CharField(max_length=55, blank=True, db_default="")
    attempts = models.IntegerField(db_default=0)  # that failed
    next_attempt_at = models.DateTimeField(db_default=Now())  # also until when a relay has it to itself
    sent_at = models.DateTimeField(null=True)
    dead_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=LONGEST_ERROR, blank=True, db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sent_at=None) | models.Q(dead_at=None), name="outbox_sent_or_dead"
            )
        ]
        # Only what is not sent yet, which is little. What is sent is read by the primary key.
        indexes = [
            models.Index(fields=["position"], name="outbox_pending", condition=models.Q(sent_at=None, dead_at=None)),
            models.Index(fields=["subject", "position"], name="outbox_unsent", condition=models.Q(sent_at=None)),
            models.Index(fields=["position"], name="outbox_dead", condition=models.Q(dead_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.subject}"
