"""A row of a seed file: what a good one is, and what is wrong with a bad one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from products_project.products.models import Product

FIELDS = ("id", "name")
MAX_ID = 2**63 - 1
LONGEST_ROW = 65_536  # bytes; what is longer is no product, and holding it would cost the bound on memory


@dataclass(frozen=True, slots=True)
class Row:
    """One product, and the line that it begins on."""

    line: int
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """What is wrong with one field of one line, or with the whole line if `field` is empty."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.reason}" if self.field else f"line {self.line}: {self.reason}"


class Unreadable(Exception):
    """The rest of the file cannot be read; `bad` says where that begins."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.bad = BadRow(line, "", reason)


def check_row(line: int, item: object, *, from_text: bool) -> Row | BadRow:
    """Return the row that an object of two members means, or what is wrong with the first bad one of them."""
    if not isinstance(item, dict):
        return BadRow(line, "", "is no object")
    if unknown := [str(key) for key in item if key not in FIELDS]:
        return BadRow(line, unknown[0][:40], "is no field of a product; there are id and name")
    product_id, name = item.get("id"), item.get("name")
    if from_text and isinstance(product_id, str) and re.fullmatch(r"[0-9]{1,19}", product_id):
        product_id = int(product_id)
    if reason := _fault_of_id(product_id):
        return BadRow(line, "id", reason)
    if reason := _fault_of_name(name):
        return BadRow(line, "name", reason)
    return Row(line, product_id, name)  # type: ignore[arg-type] # as found above


def _fault_of_id(value: object) -> str:
    if value is None or value == "":
        return "is missing"
    if type(value) is not int:
        return "is no whole number"
    return "" if 1 <= value <= MAX_ID else f"is not between 1 and {MAX_ID}"


def _fault_of_name(value: object) -> str:
    if value is None or value == "":
        return "is missing"
    if type(value) is not str:
        return "is no text"
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
