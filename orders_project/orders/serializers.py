"""Wire shapes of orders."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from ops.api.fields import OneOfField, QueryIntegerField, StrictIntegerField, UtcDateTimeField
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


RFC_3339 = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"]


class OrderQuerySerializer(serializers.Serializer[Any]):
    """The parameters of the list of orders."""

    ORDERINGS = {
        "id": ("pk",),
        "-id": ("-pk",),
        "createdAt": ("created_at", "pk"),
        "-createdAt": ("-created_at", "-pk"),
    }

    status = OneOfField(Order.Status.values, required=False)
    productId = QueryIntegerField(source="product_id", min_value=1, max_value=MAX_ID, required=False)  # noqa: N815 - wire name
    since = serializers.DateTimeField(
        input_formats=RFC_3339, required=False, help_text="orders created at this moment or later"
    )
    until = serializers.DateTimeField(
        input_formats=RFC_3339, required=False, help_text="orders created before this moment"
    )
    ordering = OneOfField(ORDERINGS, required=False, help_text="`createdAt` with `since` or `until`, else `id`")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "since" in attrs and "until" in attrs and attrs["since"] >= attrs["until"]:
            raise serializers.ValidationError({"until": "must be later than since"})
        # By id, the database could read all orders before the first one of that time.
        attrs.setdefault("ordering", "createdAt" if {"since", "until"} & attrs.keys() else "id")
        return attrs


ORDER = Projection(OrderSerializer)
_ORDER_REQUEST = OrderRequestSerializer()  # one for all requests: validation leaves nothing in it


def wanted_order(document: Any) -> dict[str, Any]:
    """Return the product's id and the quantity that a request asks for; raise ValidationError."""
    wanted: dict[str, Any] = _ORDER_REQUEST.run_validation(document)
    return wanted
