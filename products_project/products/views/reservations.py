"""HTTP for reservations: services only."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from ops.api.authentication import ServiceTokenAuthentication
from ops.api.permissions import IsService
from products_project.products import selectors
from products_project.products.models import Reservation
from products_project.products.serializers import RESERVATION, ReservationRequestSerializer, ReservationSerializer
from products_project.products.services import reservations

FOR_SERVICES = "For services: needs a service's token."


class ReservationDetail(generics.GenericAPIView[Reservation]):
    """Reserved pieces of a product."""

    queryset = Reservation.objects.none()  # names the model for the schema
    authentication_classes = [ServiceTokenAuthentication]
    permission_classes = [IsService]
    callers = ("orders-service",)
    lookup_url_kwarg = "reservation_id"  # for OPTIONS, which reads the object
    problems = {
        "PUT": {
            404: "`not_found`: no such product is on sale",
            409: "`out_of_stock`, where `available` says what is left, or `reservation_cancelled`",
            422: "`reservation_reused`: this id holds another product or quantity",
        },
    }

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return ReservationRequestSerializer if self.request.method == "PUT" else ReservationSerializer

    @extend_schema(summary="Read a reservation", description=FOR_SERVICES, responses=ReservationSerializer)
    def get(self, request: Request, *args: Any, reservation_id: UUID, **kwargs: Any) -> Response:
        """Return the reservation, held or cancelled."""
        try:
            found = selectors.read_reservation(reservation_id)
        except Reservation.DoesNotExist:
            raise Http404 from None
        return Response(RESERVATION.show(found))

    @extend_schema(
        summary="Hold some of a product",
        description=f"{FOR_SERVICES} Once for each id: the same again answers 200 and changes nothing.",
        request=ReservationRequestSerializer,
        responses={200: ReservationSerializer, 201: ReservationSerializer},
    )
    def put(self, request: Request, *args: Any, reservation_id: UUID, **kwargs: Any) -> Response:
        """Reserve pieces of a product under an id chosen by the caller."""
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        reserved = reservations.reserve(reservation_id=reservation_id, **wanted.validated_data)
        return Response(RESERVATION.show(reserved), status=201 if reserved.is_new else 200)

    @extend_schema(
        summary="Release a reservation",
        description=f"{FOR_SERVICES} Also of an id that nothing was held under, so that nothing will be.",
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, *args: Any, reservation_id: UUID, **kwargs: Any) -> Response:
        """Release an id permanently."""
        reservations.release(reservation_id=reservation_id)
        return Response(status=204)
