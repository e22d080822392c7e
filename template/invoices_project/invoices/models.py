"""The state of invoices."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Invoice(models.Model):
    """The one of a confirmed order: the order's id identifies it."""

    order_id = models.BigIntegerField(primary_key=True)
    product_id = models.BigIntegerField()
    quantity = models.IntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(order_id__gte=1), name="invoice_order_id_positive"),
            models.CheckConstraint(condition=models.Q(product_id__gte=1), name="invoice_product_id_positive"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="invoice_quantity_positive"),
        ]
        indexes = [models.Index(fields=["created_at"], name="invoice_created_at")]

    def __str__(self) -> str:
        return f"invoice of order {self.pk}"
