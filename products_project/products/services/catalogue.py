"""Use cases that write products."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from products_project.products.models import Product
from products_project.products.seeding import staging
from products_project.products.seeding.rows import BadRow, Row, Unreadable
from products_project.products.seeding.staging import Seeding

BUILT_IN = {1: "Quantum Laptop", 2: "Neutrino Keyboard"}
BATCH = 5_000  # rows in memory at once
REPORTED = 20  # bad rows that are listed


class BadRows(Exception):
    """`total` rows are bad, of which `first` are listed; no product was changed."""

    def __init__(self, total: int, first: list[BadRow]) -> None:
        super().__init__(f"{total} bad rows")
        self.total = total
        self.first = first


def built_in_products() -> list[Row]:
    """Return the products that every installation begins with."""
    return [Row(line, product_id, name) for line, (product_id, name) in enumerate(BUILT_IN.items(), 1)]


def seed_products(*, rows: Iterable[Row | BadRow], dry_run: bool = False) -> Seeding:
    """Create or update each product by its id; raise BadRows without a change if any row is bad."""
    with staging.staging_table():
        _stage(rows)
        total, repeated = staging.repeated_ids(REPORTED)
        if repeated:
            raise BadRows(total, repeated)
        if dry_run:
            return staging.count()
        with transaction.atomic():
            return staging.merge()


def _stage(rows: Iterable[Row | BadRow]) -> None:
    """Put the good rows into the staging table; raise BadRows."""
    total = 0
    bad: list[BadRow] = []
    iterator = iter(rows)
    try:
        while batch := list(islice(iterator, BATCH)):
            good = [row for row in batch if isinstance(row, Row)]
            found = [row for row in batch if isinstance(row, BadRow)]
            total += len(found)
            bad += found[: REPORTED - len(bad)]
            if good and not bad:  # after the first bad row the rest is only validated
                staging.add(good)
    except Unreadable as end:
        total += 1
        bad = [*bad[: REPORTED - 1], end.bad]
    if total:
        raise BadRows(total, bad)


def retire_product(*, product_id: int) -> bool:
    """Take a product off sale and return whether it was on sale; raise Product.DoesNotExist."""
    return _move(product_id, Product.objects.filter(retired_at=None), retired_at=Now())


def return_to_sale(*, product_id: int) -> bool:
    """Put a retired product on sale again and return whether it was retired; raise Product.DoesNotExist."""
    return _move(product_id, Product.objects.exclude(retired_at=None), retired_at=None)


def _move(product_id: int, movable: QuerySet[Product], *, retired_at: Now | None) -> bool:
    if movable.filter(pk=product_id).update(retired_at=retired_at):
        return True
    Product.objects.only("id").get(pk=product_id)
    return False
