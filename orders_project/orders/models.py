"""The order, its state and its constraints."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

MAX_ID = 9_223_372_036_854_775_807  # a signed 64-bit integer
MAX_QUANTITY = 1_000_000


class Order(models.Model):
    """One acknowledged order of one product."""

    class Status(models.TextChoices):
        CONFIRMED = "confirmed"

    product_id = models.BigIntegerField()
    # As products called it when the order was placed; null where an order is older than this column, which is then
    # added without copying the table on SQLite either. How long a name may be is for products to say.
    product_name = models.TextField(null=True)
    quantity = models.IntegerField()
    status = models.CharField(max_length=20, choices=Status, db_default=Status.CONFIRMED)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(product_id__gte=1), name="order_product_id_positive"),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1, quantity__lte=MAX_QUANTITY), name="order_quantity_in_range"
            ),
            models.CheckConstraint(condition=models.Q(status__in=["confirmed"]), name="order_status_known"),
        ]
        indexes = [
            models.Index(fields=["product_id"], name="order_product_id"),
            models.Index(fields=["created_at"], name="order_created_at"),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}: {self.quantity} of product {self.product_id}"
