"""Queries for orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Case, Count, DateField, F, Func, Min, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce

from orders_project.orders.models import Order

EXPORTED = ("id", "productId", "quantity", "status", "createdAt")  # as the API names them
MOST_DAYS = 3_660  # of one report


class TooManyDays(Exception):
    """The orders lie too many days apart for one report."""


def list_orders() -> QuerySet[Order]:
    """Return all orders."""
    return Order.objects.all()


def orders_before(moment: datetime) -> QuerySet[Order]:
    """Return the orders placed before that moment."""
    return Order.objects.filter(created_at__lt=moment)


def oldest_orders(*, before: datetime, since: datetime | None) -> QuerySet[Order, tuple[int, datetime]]:
    """Return id and time of the orders placed before a moment, the oldest first, from `since` on."""
    orders = orders_before(before) if since is None else orders_before(before).filter(created_at__gte=since)
    return orders.order_by("created_at").values_list("pk", "created_at")


def orders_between(since: datetime | None, until: datetime | None) -> QuerySet[Order]:
    """Return the orders placed from `since` on and before `until`."""
    orders = list_orders()
    if since:
        orders = orders.filter(created_at__gte=since)
    if until:
        orders = orders.filter(created_at__lt=until)
    return orders


def exported_orders(
    *, since: datetime | None, until: datetime | None, status: str | None, after: int
) -> QuerySet[Order, tuple[Any, ...]]:
    """Return the columns EXPORTED of the orders behind the id `after`.

    They are to be read by their id. Were the index of created_at in reach, SQLite would take it for an interval, and
    sort all of the interval's orders again for each page.
    """
    unindexed = Coalesce("created_at", "created_at")
    orders = list_orders().filter(pk__gt=after).alias(placed=unindexed)
    if since:
        orders = orders.filter(placed__gte=since)
    if until:
        orders = orders.filter(placed__lt=until)
    if status:
        orders = orders.filter(status=status)
    return orders.values_list("id", "product_id", "quantity", "status", "created_at")


@dataclass(frozen=True)
class Total:
    """Orders and pieces of one day or product; of all products that have no row of their own, the key is None."""

    key: date | int | None
    orders: int
    quantity: int
    products: int = 1


def totals_by_day(*, since: datetime | None, until: datetime | None) -> list[Total]:
    """Return the totals of each day of UTC, from the first with an order to the last; raise TooManyDays."""
    day = Func("created_at", function="DATE", output_field=DateField())  # the connection's time zone is UTC
    groups = orders_between(since, until).values(key=day).annotate(orders=Count("pk"), pieces=Sum("quantity"))
    found = {row["key"]: Total(row["key"], row["orders"], row["pieces"]) for row in groups.iterator()}
    if not found:
        return []
    first, last = min(found), max(found)
    if (last - first).days >= MOST_DAYS:
        raise TooManyDays(f"From {first} to {last} is more than {MOST_DAYS} days")
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [found.get(day, Total(day, 0, 0)) for day in days]


def totals_by_product(*, since: datetime | None, until: datetime | None, top: int) -> list[Total]:
    """Return the totals of the `top` products with the most orders, and of the others together, most orders first."""
    orders = orders_between(since, until)
    ranked = orders.values("product_id").annotate(orders=Count("pk")).order_by("-orders", "product_id")
    key = Case(When(product_id__in=Subquery(ranked.values("product_id")[:top]), then=F("product_id")))
    totals = (
        orders.annotate(key=key)  # one statement, so that the parts are of one moment
        .values("key")
        .annotate(orders=Count("pk"), pieces=Sum("quantity"), products=Count("product_id", distinct=True))
        .order_by(F("key").asc(nulls_last=True))
    )
    found = [Total(row["key"], row["orders"], row["pieces"], row["products"]) for row in totals]
    return sorted(found, key=lambda total: (total.key is None, -total.orders))


def orders_since(moment: datetime | None) -> QuerySet[Order]:
    """Return the orders placed from that moment on; all, where it is None."""
    return list_orders() if moment is None else Order.objects.filter(created_at__gte=moment)


def next_product_id(*, after: int, since: datetime | None) -> int | None:
    """Return the lowest product id above `after` that orders name: one step in the index, however many name it."""
    found: int | None = orders_since(since).filter(product_id__gt=after).aggregate(first=Min("product_id"))["first"]
    return found


def orders_of(product_id: int, *, since: datetime | None) -> QuerySet[Order]:
    """Return the orders of one product."""
    return orders_since(since).filter(product_id=product_id)


def former_names(product_id: int, name: str, *, since: datetime | None) -> QuerySet[Any, tuple[str | None, int]]:
    """Return each other name that orders of the product keep, and how many do; those that keep none are left out."""
    orders = orders_of(product_id, since=since).filter(product_name__isnull=False).exclude(product_name=name)
    return (
        orders.values("product_name")
        .annotate(orders=Count("pk"))
        .order_by("product_name")
        .values_list("product_name", "orders")
    )
