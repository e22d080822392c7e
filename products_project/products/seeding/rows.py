"""The rows of a seed file, valid and invalid."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError

from products_project.products.models import Product
from products_project.products.serializers import PRODUCT

REQUIRED = ("id", "name")
MAX_ID = 2**63 - 1
LONGEST_ROW = 65_536  # bytes; a longer row is not a product, and would break the bound on memory
# Blanks at an end, and letters that a screen does not show: controls, marks of direction, blanks without width.
UNSEEN = re.compile(r"^\s|\s$|[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Row:
    """One product, and the line that it begins on; `more` holds further columns, those that the row gives."""

    line: int
    id: int
    name: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def has_unseen_letters(self) -> bool:
        """Return whether the name looks different from what it is."""
        return UNSEEN.search(self.name) is not None


@dataclass(frozen=True, slots=True)
class BadRow:
    """The fault of one field of one line, or of the whole line if `field` is empty."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.reason}" if self.field else f"line {self.line}: {self.reason}"


class Unreadable(Exception):
    """The rest of the file cannot be read; `bad` is its first line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.bad = BadRow(line, "", reason)


def check_row(line: int, item: object, *, from_text: bool) -> Row | BadRow:
    """Return the row of an object, or its first fault."""
    if not isinstance(item, dict):
        return BadRow(line, "", "is not an object")
    if unknown := [str(key) for key in item if key not in PRODUCT.names]:
        return BadRow(
            line, unknown[0][:40], f"is not a field of a product; its fields are {' and '.join(PRODUCT.names)}"
        )
    product_id, name = item.get("id"), item.get("name")
    if from_text and isinstance(product_id, str) and re.fullmatch(r"[0-9]{1,19}", product_id):
        product_id = int(product_id)
    if reason := _fault_of_id(product_id):
        return BadRow(line, "id", reason)
    if reason := _fault_of_name(name):
        return BadRow(line, "name", reason)
    more = {}
    for key, column in _further():
        if key in item:
            try:
                more[column] = _clean(column, item[key], from_text)
            except ValidationError as error:
                return BadRow(line, key, " ".join(error.messages))
    return Row(line, product_id, name, more)  # type: ignore[arg-type] # as found above


@cache
def _further() -> list[tuple[str, str]]:
    """Return name and column of each field of a product that a row may leave out."""
    return [pair for pair in zip(PRODUCT.names, PRODUCT.columns, strict=True) if pair[0] not in REQUIRED]


def _clean(column: str, value: object, from_text: bool) -> object:
    """Return the value as the model takes it; an empty cell is null where the column may be null."""
    model_field: Any = Product._meta.get_field(column)  # noqa: SLF001 - Django's documented API
    if value is None or (from_text and value == "" and model_field.null):
        return model_field.clean(None, None)
    return model_field.clean(value, None)


def _fault_of_id(value: object) -> str:
    if value is None or value == "":
        return "is missing"
    if type(value) is not int:
        return "is not a whole number"
    return "" if 1 <= value <= MAX_ID else f"is not between 1 and {MAX_ID}"


def _fault_of_name(value: object) -> str:
    if value is None or value == "":
        return "is missing"
    if type(value) is not str:
        return "is not a text"
    faults = (
        (len(value) > Product.NAME_LENGTH, f"is longer than {Product.NAME_LENGTH} characters"),
        (not value.strip(), "is blank"),
        ("\0" in value, "holds a NUL character"),
        (
            not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value),
            "holds half a surrogate pair",
        ),
    )
    return next((fault for is_so, fault in faults if is_so), "")
