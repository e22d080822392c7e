"""Wire shapes of products."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from ops.api.fields import OneOfField, StrictCharField, StrictIntegerField
from ops.api.members import KnownMembers
from ops.api.projection import Projection
from products_project.products.models import MAX_ID, MAX_QUANTITY, Product, Reservation


@extend_schema_serializer(
    examples=[
        OpenApiExample("a product", value={"id": 1, "name": "Quantum Laptop"}, response_only=True),
        OpenApiExample("a product to store", value={"name": "Quantum Laptop"}, request_only=True),
    ]
)
class ProductSerializer(KnownMembers, serializers.ModelSerializer[Product]):
    """A product: id and name."""

    name = StrictCharField(max_length=Product.NAME_LENGTH)

    class Meta:
        model = Product
        fields = ("id", "name")


@extend_schema_serializer(
    component_name="Reservation",  # shown as ReservationRequest
    examples=[OpenApiExample("two of product 1", value={"productId": 1, "quantity": 2})],
)
class ReservationRequestSerializer(KnownMembers):
    """The input of a reservation."""

    productId = StrictIntegerField(source="product_id", min_value=1, max_value=MAX_ID)  # noqa: N815 - wire name
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "a reservation",
            value={"id": "0198c1de-6c1b-7c3e-9d3e-2f1f3a4b5c6d", "productId": 1, "quantity": 2, "status": "held"},
        )
    ]
)
class ReservationSerializer(serializers.ModelSerializer[Reservation]):
    """A reservation; product and quantity are null if its id was cancelled before it was reserved."""

    id = serializers.UUIDField()
    productId = serializers.IntegerField(source="product_id", min_value=1, max_value=MAX_ID, allow_null=True)  # noqa: N815 - wire name
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY, allow_null=True)

    class Meta:
        model = Reservation
        fields = ("id", "productId", "quantity", "status")


class ProductQuerySerializer(serializers.Serializer[Any]):
    """The parameters of the list of products, beside `search`."""

    ORDERINGS = {"id": ("pk",), "-id": ("-pk",), "name": ("name", "pk"), "-name": ("-name", "-pk")}

    id = serializers.RegexField(
        r"^[1-9][0-9]{0,18}(,[1-9][0-9]{0,18}){0,99}\Z",
        required=False,
        trim_whitespace=False,
        error_messages={"invalid": "must be 1 to 100 ids, separated by commas"},
        help_text="only the products with these ids, at most 100, separated by commas",
    )
    ordering = OneOfField(ORDERINGS, default="id")

    def validate_id(self, value: str) -> list[int]:
        return [number for number in map(int, value.split(",")) if number <= MAX_ID]


PRODUCT = Projection(ProductSerializer)
RESERVATION = Projection(ReservationSerializer)
