"""The data of a serializer, read and rendered without building one for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any

from rest_framework import serializers


class Projection:
    """The fields of a ModelSerializer: the one place that says how a thing looks to a client.

    Views, queries and exports take names, columns and values from here, so a field added to the serializer reaches
    them all. Each field shows one column of the model, which `source` names.
    """

    def __init__(self, serializer: type[serializers.ModelSerializer[Any]]) -> None:
        self._serializer = serializer

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the members, as JSON and CSV name them."""
        return tuple(self._serializer().fields)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the model's field behind each member."""
        return tuple(str(field.source) for field in self._serializer().fields.values())

    @cached_property
    def _renderers(self) -> list[tuple[str, Callable[[Any], Any]]]:
        return [(name, field.to_representation) for name, field in self._serializer().fields.items()]

    @cached_property
    def _values_of(self) -> Callable[[Any], tuple[Any, ...]]:
        return attrgetter(*self.columns)

    def show(self, thing: object) -> dict[str, Any]:
        """Return what the serializer shows of an object that has the columns as attributes."""
        return self.show_values(self._values_of(thing))

    def show_values(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return what the serializer shows of the columns' values; further values are left out."""
        return {
            name: None if value is None else render(value)
            for (name, render), value in zip(self._renderers, values, strict=False)
        }
