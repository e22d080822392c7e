"""HTTP for products: every client reads; staff and tokens with `products:write` write."""

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
from rest_framework.serializers import BaseSerializer

from ops.api import preconditions
from ops.api.permissions import HasScope
from ops.api.plain_answers import PlainAnswers
from ops.api.preconditions import CONDITIONAL_READ, CONDITIONAL_WRITE, entity_tag, tagged_answer
from ops.api.query import QueryFilter
from ops.api.search import SearchFilter
from products_project.products import metrics, selectors
from products_project.products.models import Product
from products_project.products.serializers import PRODUCT, ProductQuerySerializer, ProductSerializer
from products_project.products.services import editing
from products_project.products.telemetry import note

TRACKED = "tracked"
WRITERS = "For staff, and for tokens with `products:write`."
FOUND, NOT_FOUND = map(metrics.products_lookups_total.labels, ("found", "not_found"))


class PublicReads(PlainAnswers):
    """Every client may read; staff, and tokens with `products:write`, may write."""

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
        description="Products, in the order of their ids or names. `search` finds those whose name has each of its "
        "words, in any case and anywhere; accents count as written. A word without three letters or digits in a row is "
        "found only at the beginning of a word of the name. A search has a letter or a digit, and at most 20 words.",
        responses={200: ProductSerializer(many=True), 304: None},
        parameters=[ProductQuerySerializer, *CONDITIONAL_READ],
    ),
    post=extend_schema(
        summary="Create a product",
        description=WRITERS,
        parameters=[OpenApiParameter("Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[201])],
    ),
)
class ProductList(PublicReads, generics.ListCreateAPIView[Product]):
    """Products, in the order of their ids or their names."""

    queryset = Product.objects.none()  # names the model for the schema; get_queryset is used
    serializer_class = ProductSerializer
    filter_backends = [SearchFilter, QueryFilter]
    query_serializer = ProductQuerySerializer
    orderings = ProductQuerySerializer.ORDERINGS
    narrow = staticmethod(selectors.matching_products)
    search_fields = ["name__folded_contains"]
    problems = {"GET": preconditions.PROBLEM}

    def get_queryset(self) -> QuerySet[Product]:
        return selectors.list_products()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override] # the framework accepts any
        page = super().list(request, *args, **kwargs).data
        return tagged_answer(request, page, entity_tag(page))

    def get_success_headers(self, data: Any) -> dict[str, str]:
        return {"Location": self.request.build_absolute_uri(reverse("product-detail", args=[data["id"]]))}


@extend_schema_view(
    get=extend_schema(
        summary="Read a product",
        responses={200: ProductSerializer, 304: None},
        parameters=[
            *CONDITIONAL_READ,
            OpenApiParameter(
                "Argos-Stock",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="there if its stock is counted: it is sold through reservations",
                enum=[TRACKED],
                response=[200, 304],
            ),
        ],
    ),
    put=extend_schema(summary="Replace a product", description=WRITERS, parameters=CONDITIONAL_WRITE),
    patch=extend_schema(summary="Change a product", description=WRITERS, parameters=CONDITIONAL_WRITE),
    delete=extend_schema(summary="Delete a product", description=WRITERS, parameters=CONDITIONAL_WRITE),
)
class ProductDetail(PublicReads, generics.RetrieveUpdateDestroyAPIView[Product]):
    """One product."""

    queryset = Product.objects.none()
    serializer_class = ProductSerializer

    lookup_url_kwarg = "product_id"
    problems = dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), preconditions.PROBLEM)

    def get_queryset(self) -> QuerySet[Product]:
        return selectors.list_products().only(*PRODUCT.columns, "stock")

    def get(self, request: Request, *args: Any, product_id: int, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override] # the framework accepts any
        """Read a product and count the lookup; no serializer is built, which would take a quarter of the request."""
        try:
            product, is_tracked = selectors.read_product(product_id)
        except Product.DoesNotExist:
            NOT_FOUND.inc()
            raise Http404 from None
        FOUND.inc()
        note(product_id=product_id)
        headers = {"Argos-Stock": TRACKED} if is_tracked else None
        return tagged_answer(request, product, entity_tag(product, is_tracked), headers)

    def perform_update(self, serializer: BaseSerializer[Product]) -> None:
        product: Any = serializer.instance
        changes: Any = serializer.validated_data
        editing.change_product(product=product, changes=changes, if_unchanged=self._checked_precondition(product))

    def perform_destroy(self, instance: Product) -> None:
        editing.delete_product(product=instance, if_unchanged=self._checked_precondition(instance))

    def _checked_precondition(self, product: Product) -> bool:
        """Return whether the request has a precondition; raise PreconditionFailed if it does not hold."""
        preconditions.is_current(self.request, entity_tag(PRODUCT.show(product), product.stock is not None))
        return preconditions.is_conditional(self.request)
