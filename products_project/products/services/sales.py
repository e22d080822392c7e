"""The sold units of each product, from confirmed orders."""

from __future__ import annotations

from django.db import connection
from django.db.models import BigIntegerField

from events.payloads import OrderConfirmed
from products_project.products.models import Product, ProductSales
from products_project.products.telemetry import note

# One statement, so that concurrent events all count; the row outlives the product.
COUNT = f"""
    INSERT INTO {ProductSales._meta.db_table} AS sales (product_id, units_sold) VALUES (%s, %s)
    ON CONFLICT (product_id) DO UPDATE SET units_sold = sales.units_sold + excluded.units_sold
"""  # noqa: S608, SLF001 - the name of the model's own table


def count_sale(order: OrderConfirmed) -> None:
    """Add the quantity of a confirmed order; runs in the transaction that records its event."""
    note(product_id=order.productId, order_id=order.orderId)
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [order.productId, order.quantity])


def units_sold(product_id: int) -> int:
    """Return the sold units of a product, also of a retired one; raise Product.DoesNotExist."""
    if product_id > BigIntegerField.MAX_BIGINT:
        raise Product.DoesNotExist
    Product.objects.only("id").get(pk=product_id)
    return ProductSales.objects.values_list("units_sold", flat=True).filter(pk=product_id).first() or 0
