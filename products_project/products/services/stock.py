"""Use cases that change the stock, safe beside reservations."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import F

from products_project.products.models import MAX_STOCK, Product

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class StockChange:
    """The stock before and after; None means not tracked."""

    before: int | None
    after: int | None

    @property
    def is_change(self) -> bool:
        return self.before != self.after


class StockOutOfRange(Exception):
    """The stock would leave its range, or is not tracked; nothing was changed."""

    def __init__(self, before: int | None) -> None:
        super().__init__(f"stock is {before}")
        self.before = before


def locked_stock(product_id: int) -> int | None:
    """Return the stock, locked until the transaction ends; raise Product.DoesNotExist.

    It locks by an UPDATE, as the table lock of SELECT FOR UPDATE is weaker than that of the next UPDATE. Between both,
    seed_products could lock out all writers: it would wait for this row, and this transaction for the table.
    """
    Product.objects.filter(pk=product_id).update(stock=F("stock"))
    return current_stock(product_id)


def current_stock(product_id: int) -> int | None:
    """Return the current stock; raise Product.DoesNotExist."""
    return Product.objects.values_list("stock", flat=True).get(pk=product_id)


@transaction.atomic
def set_stock(*, product_id: int, stock: int | None, dry_run: bool = False) -> StockChange:
    """Set the stock; None stops tracking; raise Product.DoesNotExist."""
    before = current_stock(product_id) if dry_run else locked_stock(product_id)
    return _store(product_id, StockChange(before, stock), dry_run)


@transaction.atomic
def add_stock(*, product_id: int, quantity: int, dry_run: bool = False) -> StockChange:
    """Add to tracked stock, or subtract from it; raise StockOutOfRange or Product.DoesNotExist."""
    before = current_stock(product_id) if dry_run else locked_stock(product_id)
    if before is None or not 0 <= before + quantity <= MAX_STOCK:
        raise StockOutOfRange(before)
    return _store(product_id, StockChange(before, before + quantity), dry_run)


def _store(product_id: int, change: StockChange, dry_run: bool) -> StockChange:
    if change.is_change and not dry_run:
        Product.objects.filter(pk=product_id).update(stock=change.after)
        log.info("stock.changed", product_id=product_id, before=change.before, after=change.after)
    return change
