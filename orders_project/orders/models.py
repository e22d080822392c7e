"""The order, its state and its constraints."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

MAX_ID = 9_223_372_036_854_775_807  # a signed 64-bit integer
MAX_QUANTITY = 1_000_000
KEY_LIFETIME = timedelta(hours=24)  # at least so long a key answers as it did first


class Order(models.Model):
    """One order of one product, from the moment on at which it must not be forgotten.

    An order of a product without tracked stock is confirmed when it is stored. One of a product with tracked stock is
    pending first, and becomes confirmed or rejected by a conditional UPDATE, once. Only then is a reservation given
    back, so that nobody confirms what another one gives back.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        CONFIRMED = "confirmed"
        REJECTED = "rejected"

    product_id = models.BigIntegerField()
    # As products called it when the order was placed; null where an order is older than this column, which is then
    # added without copying the table on SQLite either. How long a name may be is for products to say.
    product_name = models.TextField(null=True)
    quantity = models.IntegerField()
    status = models.CharField(max_length=20, choices=Status, db_default=Status.CONFIRMED)
    created_at = models.DateTimeField(db_default=Now())
    idempotency_key = models.CharField(max_length=255, null=True)
    payload_hash = models.CharField(max_length=64, null=True)  # SHA-256, of what came with the key
    reservation_id = models.UUIDField(null=True)  # in products; none of an order that needed no reservation
    # From then on recover_orders has something to do: settle the order, or give back a rejected one's reservation.
    recover_after = models.DateTimeField(null=True)
    leased = models.BooleanField(null=True)  # somebody is settling it, and has until recover_after
    rejection = models.CharField(max_length=40, null=True)  # the problem's code
    available = models.BigIntegerField(null=True)  # what was left when it was rejected as out of stock

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
            # Partial, like the indexes below, so that an order without a key costs what it cost before.
            models.UniqueConstraint(
                fields=["idempotency_key"], condition=Q(idempotency_key__isnull=False), name="order_key_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["product_id"], name="order_product_id"),
            models.Index(fields=["created_at"], name="order_created_at"),
            models.Index(
                fields=["recover_after"], condition=Q(recover_after__isnull=False), name="order_recover_after"
            ),
            models.Index(
                fields=["created_at"], condition=Q(idempotency_key__isnull=False), name="order_key_created_at"
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}: {self.quantity} of product {self.product_id}"
