"""The site of the admin, where a query string that no page can mean is a 400; and its pages that only show rows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ERROR_FLAG
from django.db import DataError
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ops.api.problems import problem_response


class StrictAdminSite(admin.AdminSite):
    """Refuse filters and searches that the database or Python cannot take."""

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        def strict(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not _is_plain(request):
                return _refusal()
            try:
                response = view(request, *args, **kwargs)
            # A filter by a year past 9999, or by a number or text that the column's type lacks.
            except (ValueError, OverflowError, DataError):
                if request.method in ("GET", "HEAD") and request.GET:
                    return _refusal()
                raise
            return _refusal() if _gave_up(request, response) else response

        return super().admin_view(strict, cacheable)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Let staff look and search, for rows that only services and commands write."""

    show_full_result_count = False  # counting a large table twice for each page is slow

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def _is_plain(request: HttpRequest) -> bool:
    """Return whether the query has neither NUL, which PostgreSQL refuses, nor a regular expression, which may fail.

    No page links to a regular expression. One that matches slowly would also hold the database.
    """
    pairs = [(name, value) for name, values in request.GET.lists() for value in values]
    return not any("\0" in name + value or name.endswith("regex") for name, value in pairs)


def _gave_up(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether Django redirects to the list without its filters, as it does for those that it cannot read."""
    return response.headers.get("Location") == f"{request.path}?{ERROR_FLAG}=1"


def _refusal() -> HttpResponseBase:
    return problem_response(400, "bad_request", "A filter or a search of this page has a value that it cannot have.")
