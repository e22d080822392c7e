"""HTTP for products: every client reads, staff write."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from ops.api.permissions import HasScope
from ops.api.renderers import answer
from ops.api.search import SearchFilter
from products_project.products import metrics, selectors
from products_project.products.models import Product
from products_project.products.serializers import ProductSerializer

TRACKED = "tracked"


class PublicReads:
    """Every client may read, staff may write."""

    request: Any  # declared by the view that uses this mixin

    def perform_authentication(self, request: Request) -> None:
        """Do not authenticate yet: most reads never use the user (Django REST framework, "Lazy authentication")."""

    def get_permissions(self) -> list[BasePermission]:
        if self.request.method in SAFE_METHODS:
            return [HasScope("products:read", "products:write", anonymous=True)]
        return [HasScope("products:write")]


@extend_schema_view(
    get=extend_schema(
        summary="List products",
        description="Products, in the order of their ids. `search` finds those whose name has each of its words, in "
        "any case and anywhere; accents count as written. A word without three letters or digits in a row is found "
        "only at the beginning of a word of the name. A search has a letter or a digit.",
    ),
    post=extend_schema(
        summary="Create a product",
        description="Staff only.",
        parameters=[OpenApiParameter("Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[201])],
    ),
)
class ProductList(PublicReads, generics.ListCreateAPIView[Product]):
    """Products, in the order of their ids."""

    queryset = Product.objects.none()  # names the model for the schema; get_queryset is used
    serializer_class = ProductSerializer
    filter_backends = [SearchFilter]
    search_fields = ["name__folded_contains"]

    def get_queryset(self) -> QuerySet[Product]:
        return selectors.list_products()

    def get_success_headers(self, data: Any) -> dict[str, str]:
        return {"Location": self.request.build_absolute_uri(reverse("product-detail", args=[data["id"]]))}


@extend_schema_view(
    get=extend_schema(
        summary="Read a product",
        parameters=[
            OpenApiParameter(
                "Argos-Stock",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="there if its stock is counted: it is sold through reservations",
                enum=[TRACKED],
                response=[200],
            )
        ],
    ),
    put=extend_schema(summary="Replace a product", description="Staff only."),
    patch=extend_schema(summary="Change a product", description="Staff only."),
    delete=extend_schema(summary="Delete a product", description="Staff only."),
)
class ProductDetail(PublicReads, generics.RetrieveUpdateDestroyAPIView[Product]):
    """One product."""

    queryset = Product.objects.none()
    serializer_class = ProductSerializer

    lookup_url_kwarg = "product_id"

    def get_queryset(self) -> QuerySet[Product]:
        return selectors.list_products()

    def get(self, request: Request, *args: Any, product_id: int, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override] # the framework accepts any
        """Read a product and count the lookup; no serializer is built, which would take a quarter of the request."""
        try:
            product, is_tracked = selectors.read_product(product_id)
        except Product.DoesNotExist:
            metrics.products_lookups_total.labels("not_found").inc()
            raise Http404 from None
        metrics.products_lookups_total.labels("found").inc()
        return answer(request, product, headers={"Argos-Stock": TRACKED} if is_tracked else None)
