"""Compare the product data in orders with the current products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orders_project.orders import selectors
from orders_project.orders.errors import ProductDoesNotExist
from orders_project.orders.products_client import ProductsClient, products_client

LISTED = 100  # findings that are listed; others are only counted


@dataclass(frozen=True)
class Mismatch:
    """Orders whose product has changed; `now` is None if it no longer exists."""

    product_id: int
    orders: int
    was: str | None = None
    now: str | None = None

    def __str__(self) -> str:
        orders = "1 order" if self.orders == 1 else f"{self.orders} orders"
        fate = "no longer exists" if self.now is None else f"was {self.was!r} and is now {self.now!r}"
        return f"product {self.product_id} {fate}: {orders}"

    def as_json(self) -> dict[str, Any]:
        """Return the finding as --json shows it."""
        kind = "missing" if self.now is None else "renamed"
        return {"finding": kind, "productId": self.product_id, "orders": self.orders, "was": self.was, "now": self.now}


@dataclass
class Reconciliation:
    """Check one product after another, with findings in bounded memory."""

    since: datetime | None = None
    last: int = 0  # the product checked last
    products: int = 0
    missing: int = 0
    renamed: int = 0
    orders: int = 0  # of the products that are missing or renamed
    findings: int = 0
    listed: list[Mismatch] = field(default_factory=list)

    def next_product_id(self) -> int | None:
        """Return the next ordered product; None after the last one."""
        return selectors.next_product_id(after=self.last, since=self.since)

    def ask_about(self, product_id: int, products: ProductsClient | None = None) -> None:
        """Call products once and compare; raise ProductsUnavailable."""
        try:
            now = (products or products_client()).fetch_product(product_id).name
        except ProductDoesNotExist:
            now = None
        self.last = product_id
        self.products += 1
        found = 0
        for found, finding in enumerate(self._compare(product_id, now), 1):  # noqa: B007 - found is read below
            self.orders += finding.orders
            self.findings += 1
            if len(self.listed) < LISTED:
                self.listed.append(finding)
        self.missing += now is None
        self.renamed += now is not None and found > 0

    def _compare(self, product_id: int, now: str | None) -> Iterator[Mismatch]:
        if now is None:
            yield Mismatch(product_id, selectors.orders_of(product_id, since=self.since).count())
            return
        for was, orders in selectors.former_names(product_id, now, since=self.since).iterator():
            yield Mismatch(product_id, orders, was, now)
