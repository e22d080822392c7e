"""Events to publish, stored in the transaction of their change."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

LONGEST_ERROR = 500


class OutboxEvent(models.Model):
    """One event: pending until it is sent, or a dead letter after too many failures.

    `position` orders the events of one subject: a later transaction records a later event.
    """

    position = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    data = models.JSONField()
    time = models.DateTimeField(db_default=Now())
    traceparent = models.CharField(max_length=55, blank=True, db_default="")
    correlationid = models.CharField(max_length=128, blank=True, db_default="")  # a request id
    attempts = models.IntegerField(db_default=0)  # failed ones
    next_attempt_at = models.DateTimeField(db_default=Now())  # also the end of a relay's claim
    sent_at = models.DateTimeField(null=True)
    dead_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=LONGEST_ERROR, blank=True, db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sent_at=None) | models.Q(dead_at=None), name="outbox_sent_or_dead"
            )
        ]
        # Only unsent events, which are few. Sent ones are read by the primary key.
        indexes = [
            models.Index(fields=["position"], name="outbox_pending", condition=models.Q(sent_at=None, dead_at=None)),
            models.Index(fields=["subject", "position"], name="outbox_unsent", condition=models.Q(sent_at=None)),
            models.Index(fields=["position"], name="outbox_dead", condition=models.Q(dead_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.subject}"
