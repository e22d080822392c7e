"""The query string of the API's paths: each name is known and occurs once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import ErrorDetail
from rest_framework.filters import BaseFilterBackend
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request

from ops.api.members import unknown_names
from ops.api.problems import validation_response


class QueryMiddleware:
    """Refuse parameters that the view lacks; a misspelt `search` would otherwise answer everything."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if not request.META.get("QUERY_STRING") or not hasattr(view, "cls"):  # the class of an API view
            return None
        repeated = {
            name: [ErrorDetail("It may be given once.", "repeated")]
            for name, values in request.GET.lists()
            if len(values) > 1
        }
        errors = repeated | unknown_names(request.GET, parameters(view.cls), "the query of this path")
        return validation_response(errors) if errors else None


def parameters(view: Any) -> set[str]:
    """Return the names that the view itself, or the paginator and the filters of a list, read."""
    paginator = getattr(view, "pagination_class", None)
    if paginator is None or not issubclass(view, ListModelMixin):
        return set(getattr(view, "query_parameters", ()))
    filters = {backend.search_param for backend in view.filter_backends if hasattr(backend, "search_param")}
    if query := getattr(view, "query_serializer", None):
        filters |= set(query().fields)
    return filters | {paginator.cursor_query_param, paginator.page_size_query_param}


class QueryFilter(BaseFilterBackend):
    """Filter and sort a list by the parameters that the view's `query_serializer` validates.

    `ordering` is one of them; `orderings` of the view has its columns. `narrow` of the view takes the others.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        wanted = self._wanted(request, view)
        del wanted["ordering"]
        narrowed: QuerySet[Any] = view.narrow(queryset, **wanted)
        return narrowed

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """Return the columns to sort by, for the paginator."""
        columns: tuple[str, ...] = view.orderings[self._wanted(request, view)["ordering"]]
        return columns

    def _wanted(self, request: Request, view: Any) -> dict[str, Any]:
        query = view.query_serializer(data=request.query_params.dict())  # plain, as a form's blank value would be none
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)
