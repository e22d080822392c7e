"""The order, its state and its constraints."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce, Now

MAX_ID = 9_223_372_036_854_775_807  # a signed 64-bit integer
MAX_QUANTITY = 1_000_000
KEY_LIFETIME = timedelta(hours=24)  # a key repeats its first answer at least this long


class Order(models.Model):
    """One order of one product, stored as soon as it must not be lost.

    An order of an untracked product is confirmed when it is stored. An order of a tracked product is pending first. One
    conditional UPDATE confirms or rejects it. Its reservation is released only after that, so that a confirmed order
    never loses it.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        CONFIRMED = "confirmed"
        REJECTED = "rejected"

    product_id = models.BigIntegerField()
    # The product's name when the order was placed; null for orders older than this column. So SQLite adds the column
    # without copying the table. Products limits the length.
    product_name = models.TextField(null=True)
    quantity = models.IntegerField()
    status = models.CharField(max_length=20, choices=Status, db_default=Status.CONFIRMED)
    created_at = models.DateTimeField(db_default=Now())
    owner = models.CharField(max_length=255, null=True)  # the `sub` of the client's token; null without one
    idempotency_key = models.CharField(max_length=255, null=True)
    payload_hash = models.CharField(max_length=64, null=True)  # SHA-256 of the payload with the key
    reservation_id = models.UUIDField(null=True)  # in products; null for an order without a reservation
    # The time from which recover_orders resolves the order, or releases a rejected one's reservation.
    recover_after = models.DateTimeField(null=True)
    leased = models.BooleanField(null=True)  # a process resolves it, until recover_after
    rejection = models.CharField(max_length=40, null=True)  # the problem's code
    available = models.BigIntegerField(null=True)  # the stock when it was rejected as out of stock

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(product_id__gte=1), name="order_product_id_positive"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MAX_QUANTITY), name="order_quantity_in_range"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "confirmed", "rejected"]), name="order_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status="pending") | Q(reservation_id__isnull=False, recover_after__isnull=False),
                name="order_pending_is_settled",
            ),
            models.CheckConstraint(
                condition=Q(status="rejected", rejection__isnull=False)
                | (~Q(status="rejected") & Q(rejection__isnull=True)),
                name="order_rejected_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(idempotency_key__isnull=True, payload_hash__isnull=True)
                | Q(idempotency_key__isnull=False, payload_hash__isnull=False),
                name="order_key_has_a_payload",
            ),
            # Partial, like the indexes below, so that an order without a key does not pay for it.
            # A client's keys are its own. Clients without a token share theirs, and no owner is null.
            models.UniqueConstraint(
                "idempotency_key",
                Coalesce("owner", Value("")),
                condition=Q(idempotency_key__isnull=False),
                name="order_key_of_owner_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["product_id", "created_at"], name="order_product_created_at"),
            models.Index(fields=["created_at"], name="order_created_at"),
            # Nearly all orders are confirmed: the index of their time finds these. This one costs them nothing.
            models.Index(
                fields=["status", "created_at"], condition=~Q(status="confirmed"), name="order_unconfirmed_created_at"
            ),
            models.Index(fields=["owner", "id"], condition=Q(owner__isnull=False), name="order_owner"),
            models.Index(
                fields=["owner", "created_at"], condition=Q(owner__isnull=False), name="order_owner_created_at"
            ),
            models.Index(
                fields=["recover_after"], condition=Q(recover_after__isnull=False), name="order_recover_after"
            ),
            models.Index(
                fields=["created_at"], condition=Q(idempotency_key__isnull=False), name="order_key_created_at"
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}: {self.quantity} of product {self.product_id}"
