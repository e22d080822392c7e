"""Read or delete many rows in small parts, with no transaction or cursor open between two of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet

PAGE = 5_000  # rows in memory at once
LARGEST_BATCH = 5_000  # rows that one transaction deletes


def pages(rows: QuerySet[Model, Any], *, after: int = 0, size: int = PAGE) -> Iterator[list[Any]]:
    """Yield the pages of a `values_list` that begins with the primary key, in its order, after the key `after`."""
    while page := list(rows.filter(pk__gt=after).order_by("pk")[:size]):
        yield page
        after = page[-1][0]


@dataclass(frozen=True)
class Batch:
    """The rows that one batch deleted, and the seconds for which it held their locks."""

    deleted: int
    seconds: float


def delete_in_batches(rows: QuerySet[Model, Any], *, largest: int = LARGEST_BATCH) -> Iterator[Batch]:
    """Delete the rows in the order of their keys; yield after each batch, while no lock is held."""
    rest = rows
    while keys := list(rest.order_by("pk").values_list("pk", flat=True)[:largest]):
        rest = rows.filter(pk__gt=keys[-1])
        started = time.monotonic()
        deleted, _ = rows.filter(pk__in=keys).delete()
        yield Batch(deleted, time.monotonic() - started)
