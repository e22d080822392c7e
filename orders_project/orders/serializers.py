"""Wire shapes of orders."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from ops.api.fields import StrictIntegerField, UtcDateTimeField
from ops.api.members import KnownMembers
from ops.api.projection import Projection
from orders_project.orders.models import MAX_ID, MAX_QUANTITY, Order


@extend_schema_serializer(
    component_name="Order",  # shown as OrderRequest
    examples=[OpenApiExample("two of product 1", value={"productId": 1, "quantity": 2})],
)
class OrderRequestSerializer(KnownMembers):
    """The input of an order."""

    productId = StrictIntegerField(source="product_id", min_value=1, max_value=MAX_ID)  # noqa: N815 - wire name
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "an order",
            value={
                "id": 7,
                "productId": 1,
                "quantity": 2,
                "status": "confirmed",
                "createdAt": "2026-11-20T09:30:00.123456Z",
            },
        )
    ]
)
class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order."""

    productId = serializers.IntegerField(source="product_id", min_value=1, max_value=MAX_ID)  # noqa: N815 - wire name
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)
    createdAt = UtcDateTimeField(source="created_at")  # noqa: N815 - wire name

    class Meta:
        model = Order
        fields = ("id", "productId", "quantity", "status", "createdAt")


ORDER = Projection(OrderSerializer)
_ORDER_REQUEST = OrderRequestSerializer()  # one for all requests: validation leaves nothing in it


def wanted_order(document: Any) -> dict[str, Any]:
    """Return the product's id and the quantity that a request asks for; raise ValidationError."""
    wanted: dict[str, Any] = _ORDER_REQUEST.run_validation(document)
    return wanted
