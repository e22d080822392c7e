"""Wire shapes of invoices."""

from __future__ import annotations

from rest_framework import serializers

from invoices_project.invoices.models import Invoice
from ops.api.fields import UtcDateTimeField


class InvoiceSerializer(serializers.ModelSerializer[Invoice]):
    """The invoice of one order."""

    orderId = serializers.IntegerField(source="order_id", min_value=1)  # noqa: N815 - wire name
    productId = serializers.IntegerField(source="product_id", min_value=1)  # noqa: N815 - wire name
    quantity = serializers.IntegerField(min_value=1)
    createdAt = UtcDateTimeField(source="created_at")  # noqa: N815 - wire name

    class Meta:
        model = Invoice
        fields = ("orderId", "productId", "quantity", "createdAt")
