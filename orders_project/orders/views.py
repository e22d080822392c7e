"""HTTP for orders: clients place and read them by the scopes of their tokens, staff read all."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from ops.api.permissions import HasScope, subject_of
from ops.api.plain_answers import PlainAnswers
from ops.api.query import QueryFilter
from ops.api.renderers import answer
from ops.identity.credentials import AccessToken
from orders_project.orders import idempotency, selectors, services
from orders_project.orders.errors import OrderRejected
from orders_project.orders.models import Order
from orders_project.orders.serializers import (
    ORDER,
    OrderQuerySerializer,
    OrderRequestSerializer,
    OrderSerializer,
    wanted_order,
)

READ_ALL = "orders:read"
READ = ("orders:read:own", READ_ALL)
OWN = "With `orders:read:own` alone, a client finds the orders that it has placed itself."
REPLAYED = {idempotency.REPLAYED: "true"}


def readable_by(request: Request) -> QuerySet[Order]:
    """Return the orders that the client may read: staff and `orders:read` all of them, other clients their own."""
    if not isinstance(request.auth, AccessToken) or READ_ALL in request.auth.scopes:
        return Order.objects.all()
    return selectors.orders_of_owner(request.auth.subject)


@extend_schema_view(
    get=extend_schema(
        summary="List orders",
        description=f"Orders that match all parameters, in the order of their ids or of their time. {OWN}",
        parameters=[OrderQuerySerializer],
    )
)
class OrderList(PlainAnswers, generics.ListAPIView[Order]):
    """Orders, in the order of their ids or of their time."""

    queryset = Order.objects.none()  # names the model for the schema; get_queryset is used
    filter_backends = [QueryFilter]
    query_serializer = OrderQuerySerializer
    orderings = OrderQuerySerializer.ORDERINGS
    narrow = staticmethod(selectors.matching_orders)
    problems = {
        "POST": {
            400: "`product_does_not_exist`, `validation_error`, naming each field, `idempotency_key_invalid`, "
            "`parse_error` or `bad_request`",
            409: "`out_of_stock`, with what is left as `available`, `order_expired`, or `request_in_progress`, with "
            "Retry-After",
            422: "`idempotency_key_reused`",
            500: "`products_unavailable`, with Retry-After, or `internal_error`",
        }
    }

    def get_permissions(self) -> list[BasePermission]:
        if self.request.method == "POST":
            return [HasScope("orders:write", anonymous=settings.CONFIG.orders_anonymous)]
        return [AllowAny() if self.request.method == "OPTIONS" else HasScope(*READ)]

    def get_queryset(self) -> QuerySet[Order]:
        return readable_by(self.request)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return OrderRequestSerializer if self.request.method == "POST" else OrderSerializer

    @extend_schema(
        summary="Place an order",
        request=OrderRequestSerializer,
        responses={201: OrderSerializer},
        parameters=[
            OpenApiParameter(
                idempotency.HEADER,
                {"type": "string", "pattern": idempotency.PATTERN},
                OpenApiParameter.HEADER,
                description="names this order for at least 24 hours, bare or as a quoted string: sent again with the "
                "same payload, it is answered as it was first",
            ),
            OpenApiParameter("Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[201]),
            OpenApiParameter(
                idempotency.REPLAYED,
                {"type": "string", "enum": ["true"]},
                OpenApiParameter.HEADER,
                response=[201, 400, 409],
                description="an earlier request with this key was answered so",
            ),
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Place an order of a product that exists, once for each key."""
        key = idempotency.read_key(request.META.get("HTTP_IDEMPOTENCY_KEY"))
        try:
            placed = services.place_order(**wanted_order(request.data), key=key, owner=subject_of(request))
        except OrderRejected as rejection:
            if rejection.is_replayed:
                rejection.headers = REPLAYED
            raise
        headers = {"Location": request.build_absolute_uri(f"{request.path}/{placed.order.pk}")}
        if placed.is_replayed:
            headers |= REPLAYED
        return answer(request, ORDER.show(placed.order), status=201, headers=headers)


@extend_schema_view(get=extend_schema(summary="Read an order", description=OWN))
class OrderDetail(generics.RetrieveAPIView[Order]):
    """One order."""

    queryset = Order.objects.none()  # names the model for the schema; get_queryset is used
    serializer_class = OrderSerializer
    lookup_url_kwarg = "order_id"

    def get_permissions(self) -> list[BasePermission]:
        return [HasScope(*READ)]

    def get_queryset(self) -> QuerySet[Order]:
        return readable_by(self.request)
