"""The product, the reservation of its stock, and their constraints."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models.functions import Now

from ops.database.folded_contains import FoldedContains

models.CharField.register_lookup(FoldedContains)

MAX_ID = 9_223_372_036_854_775_807  # a signed 64-bit integer
MAX_QUANTITY = 1_000_000
MAX_STOCK = 1_000_000_000


class Product(models.Model):
    """A product, on sale or retired."""

    NAME_LENGTH = 200

    name = models.CharField(max_length=NAME_LENGTH)
    retired_at = models.DateTimeField("retired", null=True, blank=True)  # the time since which it is off sale
    # The pieces that can be reserved; null means not tracked. The field itself adds CHECK (stock >= 0), so SQLite adds
    # the column without copying the table.
    stock = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(MAX_STOCK)],
        help_text="what is left to be reserved; empty: not tracked",
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(name=""), name="product_name_not_empty")]
        indexes = [
            models.Index(fields=["name", "id"], condition=models.Q(retired_at=None), name="product_name_on_sale")
        ]

    def __str__(self) -> str:
        return self.name


class Reservation(models.Model):
    """Pieces of a product reserved under an id chosen by the caller; the API never deletes it.

    A cancelled one is a tombstone until `purge_reservations`, so that a late request with its id is refused. It lacks
    product and quantity if the id was never reserved. There is deliberately no foreign key, as reservations
    outlive a deleted product.
    """

    class Status(models.TextChoices):
        HELD = "held"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    product_id = models.BigIntegerField(null=True)
    quantity = models.IntegerField(null=True)
    status = models.CharField(max_length=20, choices=Status, db_default=Status.HELD)
    takes_stock = models.BooleanField(db_default=False)  # whether it reduced the stock, which a release increases again
    created_at = models.DateTimeField(db_default=Now())
    cancelled_at = models.DateTimeField("cancelled", null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(product_id__gte=1), name="reservation_product_id_positive"),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1, quantity__lte=MAX_QUANTITY), name="reservation_quantity_in_range"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    status="held", product_id__isnull=False, quantity__isnull=False, cancelled_at__isnull=True
                )
                | models.Q(status="cancelled", cancelled_at__isnull=False),
                name="reservation_status_consistent",
            ),
            models.CheckConstraint(
                condition=models.Q(takes_stock=False) | models.Q(product_id__isnull=False, quantity__isnull=False),
                name="reservation_of_stock_whole",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="reservation_created_at")]

    def __str__(self) -> str:
        return f"reservation {self.pk}: {self.status}"


class ProductSales(models.Model):
    """The sold pieces of one product, counted by events; without a foreign key, as they outlive the product."""

    product_id = models.BigIntegerField(primary_key=True)
    units_sold = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(units_sold__gte=0), name="product_units_sold_positive")
        ]

    def __str__(self) -> str:
        return f"{self.units_sold} of product {self.product_id}"
