"""Views for the tests of the contract."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import URLPattern, URLResolver, path
from rest_framework import exceptions, generics, serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ops.api.fields import StrictCharField, StrictIntegerField
from ops.api.problems import DomainError
from ops.api.search import SearchFilter
from ops.tests.urls import handler400, handler403, handler404, handler500
from ops.tests.urls import urlpatterns as plain

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


class OutOfStock(DomainError):
    code = "out_of_stock"
    status = 409
    detail = "Nothing is left of it."


RAISED: dict[str, Exception] = {
    "domain": OutOfStock(),
    "domain-in-detail": OutOfStock("Two are left of it.", retry_after=timedelta(milliseconds=1200)),
    "domain-with-members": OutOfStock(members={"available": 2}),
    "domain-at-once": OutOfStock(retry_after=timedelta(0)),
    "http404": Http404("secret-table has no row"),
    "denied": PermissionDenied("secret rule"),
    "throttled": exceptions.Throttled(),
    "nested": exceptions.ValidationError({"lines": [{"quantity": ["too many"]}, {}], "note": "too long"}),
    "whole": exceptions.ValidationError("does not add up"),
    "unforeseen": RuntimeError("secret in the message"),
}


class Raise(APIView):
    permission_classes = [AllowAny]

    def get(self, request: Request, name: str) -> Response:
        raise RAISED[name]


class ThingSerializer(serializers.Serializer[Any]):
    number = StrictIntegerField(min_value=1, max_value=9)
    name = StrictCharField(max_length=5)


class Thing(generics.GenericAPIView[Any]):
    permission_classes = [AllowAny]
    serializer_class = ThingSerializer

    def post(self, request: Request) -> Response:
        thing = ThingSerializer(data=request.data)
        thing.is_valid(raise_exception=True)
        return Response(thing.validated_data)


class GroupSerializer(serializers.ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class GroupList(generics.ListAPIView[Group]):
    """Groups, which every test database has."""

    permission_classes = [AllowAny]
    queryset = Group.objects.all()
    serializer_class = GroupSerializer
    filter_backends = [SearchFilter]
    search_fields = ["name"]


class StaffOnly(generics.RetrieveAPIView[Group]):
    """A group, for staff by default."""

    queryset = Group.objects.all()
    serializer_class = GroupSerializer
    problems = {"GET": {409: "`out_of_stock`"}}


urlpatterns: list[URLPattern | URLResolver] = [
    path("raise/<str:name>", Raise.as_view()),
    path("things", Thing.as_view()),
    path("groups", GroupList.as_view()),
    path("groups/<int:pk>", StaffOnly.as_view()),
    *plain,
]
