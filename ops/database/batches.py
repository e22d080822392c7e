"""Read a table of any size a page at a time, by its primary key: no transaction or cursor is open between two pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Model, QuerySet

PAGE = 5_000  # rows in memory at once


def pages(rows: QuerySet[Model, Any], *, after: int = 0, size: int = PAGE) -> Iterator[list[Any]]:
    """Yield the pages of a `values_list` that begins with the primary key, in its order, behind the key `after`."""
    while page := list(rows.filter(pk__gt=after).order_by("pk")[:size]):
        yield page
        after = page[-1][0]
