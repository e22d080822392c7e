"""The product and its constraints."""

from __future__ import annotations

from django.db import models


class Product(models.Model):
    """Something that can be ordered, or could be before it was retired."""

    NAME_LENGTH = 200

    name = models.CharField(max_length=NAME_LENGTH)
    retired_at = models.DateTimeField("retired", null=True, blank=True)  # since when it is off sale

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(name=""), name="product_name_not_empty")]

    def __str__(self) -> str:
        return self.name


class ProductSales(models.Model):
    """What was sold of one product: events write it, and it stays when the product goes, so it is no foreign key."""

    product_id = models.BigIntegerField(primary_key=True)
    units_sold = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(units_sold__gte=0), name="product_units_sold_positive")
        ]

    def __str__(self) -> str:
        return f"{self.units_sold} of product {self.product_id}"
