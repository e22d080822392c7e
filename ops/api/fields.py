"""Serializer fields that accept exactly the types of the contract."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers


class StrictIntegerField(serializers.IntegerField):
    """Accept only a JSON integer: Django REST framework's field also accepts `"1"`, `1.0` and `"1_000"`."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


NO_NUL = r"^[^\u0000]*$"  # for the OpenAPI document: PostgreSQL stores no NUL


class StrictCharField(serializers.CharField):
    """Accept only a JSON string: Django REST framework's field also accepts numbers, and stores `0` as `"0"`."""

    def to_internal_value(self, data: Any) -> str:
        if type(data) is not str:
            self.fail("invalid")
        return super().to_internal_value(data)


class QueryIntegerField(serializers.IntegerField):
    """Accept only decimal digits, for the text of a query."""

    def to_internal_value(self, data: Any) -> int:
        if not (data.isascii() and data.isdecimal()):
            self.fail("invalid")
        return super().to_internal_value(data)


class OneOfField(serializers.ChoiceField):
    """Name the choices in a refusal; the library repeats the client's input there."""

    def __init__(self, choices: Iterable[str], **options: Any) -> None:
        allowed = list(choices)
        super().__init__(allowed, error_messages={"invalid_choice": f"must be {' or '.join(allowed)}"}, **options)


class UtcDateTimeField(serializers.DateTimeField):
    """Show a moment of UTC as it is; converting its time zone first, as the library does, takes five times as long."""

    def to_representation(self, value: datetime) -> str:
        return value.isoformat().replace("+00:00", "Z")


class StrictCharSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call] # the library has no types
    """Describe that a text has no NUL."""

    target_class = StrictCharField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        schema = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)  # noqa: SLF001 - as the library's documents do
        return schema | {"pattern": NO_NUL}
