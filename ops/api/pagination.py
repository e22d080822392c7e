"""Lists whose cost does not depend on the position of the page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import DateTimeField, Field, QuerySet
from rest_framework import pagination
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)
POSITION = re.compile(r"[0-9]{1,19}", re.ASCII)  # a primary key: at most a signed 64-bit integer


class CursorPagination(pagination.CursorPagination):
    """Page by primary key, or as a filter of the view orders; a foreign cursor is a validation error."""

    ordering = "pk"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    cursor_query_description = "where the page begins: copied from `next` or `previous`, without reading it"
    page_size_query_description = "how many results a page holds"

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        ordering: tuple[str, ...] = super().get_ordering(request, queryset, view)
        options, name = queryset.model._meta, ordering[0].lstrip("-")  # noqa: SLF001 - Django documents it
        self._ordered_by: Field[Any, Any] = options.pk if name == "pk" else options.get_field(name)
        return ordering

    def _is_position(self, text: str) -> bool:
        if self._ordered_by.primary_key:
            return POSITION.fullmatch(text) is not None
        if isinstance(self._ordered_by, DateTimeField):
            return _is_moment(text)
        try:
            self._ordered_by.clean(text, None)
        except InvalidValue:
            return False
        return "\0" not in text

    def decode_cursor(self, request: Request) -> pagination.Cursor | None:
        try:
            if not BASE64.fullmatch(request.query_params.get(self.cursor_query_param, "")):
                raise NotFound  # Python's decoder skips characters outside base64
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None and not self._is_position(str(cursor.position)):
                raise NotFound
        except NotFound:
            raise ValidationError({self.cursor_query_param: "is not a cursor of this list"}) from None
        if cursor is not None and cursor.offset >= self.offset_cutoff:  # the library would repeat a page for ever
            raise ValidationError(
                {self.cursor_query_param: f"{self.offset_cutoff} results have one value; filter them"}
            )
        return cursor

    def get_page_size(self, request: Request) -> int | None:
        text = str(request.query_params.get(self.page_size_query_param, self.page_size))
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= self.max_page_size):
            raise ValidationError(
                {self.page_size_query_param: f"must be a whole number from 1 to {self.max_page_size}"}
            )
        return int(text)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.cursor_query_param:
                parameter["schema"] |= {"pattern": f"^{BASE64.pattern}$"}
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page in OpenAPI 3.1; the library describes it in 3.0, where null lacks a type."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "example": "http://localhost/things?cursor=cD0xMA%3D%3D"},
                "previous": {**link, "example": None},
                "results": schema,
            },
        }


def _is_moment(text: str) -> bool:
    """Return whether this is a time with its zone that UTC can express."""
    try:
        moment = datetime.fromisoformat(text)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return moment.utcoffset() is not None
