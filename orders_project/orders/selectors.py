"""Queries for orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Case, Count, DateField, F, Func, Max, Min, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from orders_project.orders.models import KEY_LIFETIME, Order

MOST_DAYS = 3_660  # of one report


class TooManyDays(Exception):
    """The orders lie too many days apart for one report."""


def matching_orders(
    orders: QuerySet[Order],
    *,
    status: str | None = None,
    product_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Order]:
    """Return those of the orders that match, created from `since` on and before `until`."""
    wanted = {"status": status, "product_id": product_id, "created_at__gte": since, "created_at__lt": until}
    return orders.filter(**{name: value for name, value in wanted.items() if value is not None})


def order_of_key(key: str, owner: str | None) -> Order | None:
    """Return the order that this client, or one without a token, placed with this Idempotency-Key."""
    return Order.objects.filter(idempotency_key=key, owner=owner).first()


def orders_of_owner(owner: str) -> QuerySet[Order]:
    """Return the orders that the client with this `sub` has placed."""
    return Order.objects.filter(owner=owner)


def orders_due(now: datetime) -> QuerySet[Order]:
    """Return the orders that are due for recover_orders, the longest due first."""
    return Order.objects.filter(recover_after__lte=now).order_by("recover_after")


def _pending_orders() -> QuerySet[Order]:
    # The index covers only orders with recover_after, which are few.
    return Order.objects.filter(recover_after__isnull=False, status=Order.Status.PENDING)


def orders_pending() -> float:
    """Return how many orders are pending."""
    return float(_pending_orders().count())


def oldest_pending_age_seconds() -> float:
    """Return the age of the oldest pending order; 0 where there is none."""
    oldest: datetime | None = _pending_orders().aggregate(oldest=Min("created_at"))["oldest"]
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0


def orders_before(moment: datetime) -> QuerySet[Order]:
    """Return the orders placed before that moment."""
    return Order.objects.filter(created_at__lt=moment)


def purgeable_orders(before: datetime) -> QuerySet[Order]:
    """Return the orders placed before a moment that may be deleted.

    A pending order is still to be resolved, and the reservation of a rejected one may still be released. A young key
    must answer as it did first.
    """
    is_young = Q(idempotency_key__isnull=False, created_at__gt=timezone.now() - KEY_LIFETIME)
    return orders_before(before).filter(recover_after__isnull=True).exclude(is_young)


def orders_with_old_keys(before: datetime) -> QuerySet[Order]:
    """Return the orders placed before a moment whose key may be forgotten.

    The key of a pending order may not: its client could place the order a second time.
    """
    limit = min(before, timezone.now() - KEY_LIFETIME)
    return orders_before(limit).filter(idempotency_key__isnull=False).exclude(status=Order.Status.PENDING)


def confirmed_between(since: datetime | None, until: datetime | None) -> QuerySet[Order]:
    """Return the confirmed orders placed from `since` on and before `until`."""
    return matching_orders(Order.objects.all(), status=Order.Status.CONFIRMED, since=since, until=until)


def exported_orders(
    *, since: datetime | None, until: datetime | None, status: str | None, after: int
) -> QuerySet[Order]:
    """Return the orders behind the id `after`, to be read in the order of their ids.

    The index of created_at is kept out of reach: for an interval SQLite would use it, and sort the interval's orders
    again for each page.
    """
    unindexed = Coalesce("created_at", "created_at")
    orders = Order.objects.filter(pk__gt=after).alias(placed=unindexed)
    if since:
        orders = orders.filter(placed__gte=since)
    if until:
        orders = orders.filter(placed__lt=until)
    if status:
        orders = orders.filter(status=status)
    return orders


@dataclass(frozen=True)
class Total:
    """Orders and pieces of one day or product; for all products without a row of their own, the key is None."""

    key: date | int | None
    orders: int
    quantity: int
    products: int = 1
    name: str | None = None  # of a product, as its last order has it


def totals_by_day(*, since: datetime | None, until: datetime | None) -> list[Total]:
    """Return the totals of each day of UTC, from the first with an order to the last; raise TooManyDays."""
    day = Func("created_at", function="DATE", output_field=DateField())  # the connection's time zone is UTC
    groups = confirmed_between(since, until).values(key=day).annotate(orders=Count("pk"), pieces=Sum("quantity"))
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
    orders = confirmed_between(since, until)
    ranked = orders.values("product_id").annotate(orders=Count("pk")).order_by("-orders", "product_id")
    key = Case(When(product_id__in=Subquery(ranked.values("product_id")[:top]), then=F("product_id")))
    totals = (
        orders.annotate(key=key)  # one statement, so that the parts are of one moment
        .values("key")
        .annotate(
            orders=Count("pk"), pieces=Sum("quantity"), products=Count("product_id", distinct=True), last=Max("pk")
        )
        .order_by(F("key").asc(nulls_last=True))
    )
    rows = list(totals)
    last_orders = Order.objects.filter(pk__in=[row["last"] for row in rows if row["key"] is not None])
    names = dict(last_orders.values_list("product_id", "product_name"))
    found = [Total(row["key"], row["orders"], row["pieces"], row["products"], names.get(row["key"])) for row in rows]
    return sorted(found, key=lambda total: (total.key is None, -total.orders))


def next_product_id(*, after: int, since: datetime | None) -> int | None:
    """Return the lowest product id above `after` that orders name: one step in the index, however many name it."""
    found: int | None = (
        confirmed_between(since, None).filter(product_id__gt=after).aggregate(first=Min("product_id"))["first"]
    )
    return found


def orders_of(product_id: int, *, since: datetime | None) -> QuerySet[Order]:
    """Return the orders of one product."""
    return confirmed_between(since, None).filter(product_id=product_id)


def former_names(product_id: int, name: str, *, since: datetime | None) -> QuerySet[Any, tuple[str | None, int]]:
    """Return each other name that orders of the product keep, and how many do; those that keep none are left out."""
    orders = orders_of(product_id, since=since).filter(product_name__isnull=False).exclude(product_name=name)
    return (
        orders.values("product_name")
        .annotate(orders=Count("pk"))
        .order_by("product_name")
        .values_list("product_name", "orders")
    )
