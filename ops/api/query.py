"""The query string of the API's paths: each name is known and occurs once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import ErrorDetail
from rest_framework.mixins import ListModelMixin

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
    """Return the names that the paginator and the filters of a list read."""
    paginator = getattr(view, "pagination_class", None)
    if paginator is None or not issubclass(view, ListModelMixin):
        return set()
    filters = {backend.search_param for backend in view.filter_backends if hasattr(backend, "search_param")}
    return filters | {paginator.cursor_query_param, paginator.page_size_query_param}
