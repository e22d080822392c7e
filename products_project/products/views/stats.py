"""HTTP for the sold units of a product, open to every client."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from products_project.products.models import Product
from products_project.products.services import sales
from products_project.products.views.products import PublicReads


class ProductStatsSerializer(serializers.Serializer[Any]):
    """The sold units of one product."""

    productId = serializers.IntegerField(min_value=1)  # noqa: N815 - wire name
    unitsSold = serializers.IntegerField(min_value=0, help_text="by confirmed orders whose events have arrived")  # noqa: N815 - wire name


class ProductStats(PublicReads, APIView):
    """The sold units of one product, on sale or retired."""

    @extend_schema(
        operation_id="products_stats",
        summary="Read the units sold of a product",
        responses=ProductStatsSerializer,
        examples=[OpenApiExample("two sold", value={"productId": 1, "unitsSold": 2}, response_only=True)],
    )
    def get(self, request: Request, *args: Any, product_id: int, **kwargs: Any) -> Response:
        """Read how many units confirmed orders sold, also of a retired product."""
        try:
            return Response({"productId": product_id, "unitsSold": sales.units_sold(product_id)})
        except Product.DoesNotExist:
            raise Http404 from None
