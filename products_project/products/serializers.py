"""Wire shapes of products."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from ops.fields import StrictCharField
from products_project.products.models import Product


@extend_schema_serializer(
    examples=[
        OpenApiExample("a product", value={"id": 1, "name": "Quantum Laptop"}, response_only=True),
        OpenApiExample("a product to store", value={"name": "Quantum Laptop"}, request_only=True),
    ]
)
class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product: id and name, nothing else."""

    name = StrictCharField(max_length=Product.NAME_LENGTH)

    class Meta:
        model = Product
        fields = ("id", "name")
