"""How an order becomes confirmed or rejected, whoever sees to it: a request, its retry, or recover_orders.

pending ──→ confirmed
        └─→ rejected ──→ its reservation given back

Each arrow is one conditional UPDATE. The first two exclude each other, and a reservation is given back only after its
order is rejected: so what a confirmed order has reserved is never given back, however late or often anybody asks.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Q, QuerySet
from django.utils import timezone

from events.outbox.publish import event_values, insert_and_publish
from ops.api.problems import DomainError
from ops.testing.fault_points import fault_point
from orders_project.orders import metrics
from orders_project.orders.errors import OrderExpired, OutOfStock, ProductDoesNotExist, ProductsUnavailable
from orders_project.orders.events import CONFIRMED, CONFIRMED_DATA, publish_confirmed
from orders_project.orders.fault_points import OrderStep
from orders_project.orders.models import Order
from orders_project.orders.products_client import ProductsClient

log = structlog.get_logger(__name__)

# What products says of a reservation that it does not make, and what that makes of the order; `unknown` is a product
# that was retired since it was asked for.
REJECTIONS = {"out_of_stock": OutOfStock.code, "unknown": ProductDoesNotExist.code}


def store_confirmed(order: Order) -> None:
    """Store an order that needs no reservation, and announce it."""
    order.status = Order.Status.CONFIRMED
    with fault_point(OrderStep.STORE_ORDER), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            _insert(cursor, order, INSERT_AND_PUBLISH, *event_values(CONFIRMED))
        else:
            with transaction.atomic():
                _insert(cursor, order, INSERT_CONFIRMED)
                publish_confirmed(cursor, order, order.created_at)
    metrics.count_confirmed(order.quantity)


# The statement of almost every order, and nothing but the statement: to have the ORM build it takes longer than the
# database takes for it. The other columns are null then.
INSERT_CONFIRMED = (
    f"INSERT INTO {Order._meta.db_table} "  # noqa: S608, SLF001 - the model's own table
    "(product_id, product_name, quantity, status, idempotency_key, payload_hash) "
    "VALUES (%s, %s, %s, %s, %s, %s) RETURNING id, created_at, product_id, quantity"
)
INSERT_AND_PUBLISH = insert_and_publish(INSERT_CONFIRMED, subject="id::text", data=CONFIRMED_DATA)


def _insert(cursor: CursorWrapper, order: Order, statement: str, *more: Any) -> None:
    values = (order.product_id, order.product_name, order.quantity, order.status)
    cursor.execute(statement, [*values, order.idempotency_key, order.payload_hash, *more])
    order.pk, created_at, *_ = cursor.fetchone()
    order.created_at = created_at.replace(tzinfo=UTC)  # which SQLite's lacks
    order._state.adding = False  # noqa: SLF001 - Django's documented name


def store_pending(order: Order) -> None:
    """Store a pending order, leased to this request."""
    order.status = Order.Status.PENDING
    order.reservation_id = uuid4()
    order.leased, order.recover_after = True, _lease_end()
    with fault_point(OrderStep.STORE_PENDING):
        order.save(force_insert=True)


def claim(order: Order, *, for_retry: bool = False) -> bool:
    """Take the lease, if it ran out or, for a retry of the client's, was given back; false if another one has it."""
    now = timezone.now()
    is_free = Q(recover_after__lte=now) | Q(leased=False) if for_retry else Q(recover_after__lte=now)
    end = _lease_end()
    if not Order.objects.filter(is_free, pk=order.pk, status=order.status).update(leased=True, recover_after=end):
        return False
    order.leased, order.recover_after = True, end
    return True


def resolve(order: Order, products: ProductsClient, *, is_first: bool = True) -> None:
    """Reserve what a pending order needs and confirm it; raise what it is rejected for, or ProductsUnavailable.

    Where products gives no answer, whether it reserved is unknown: the order stays pending, for the client's retry
    or recover_orders.
    """
    assert order.reservation_id is not None  # noqa: S101 - a constraint of the table
    try:
        with fault_point(OrderStep.RESERVE):
            reservation = products.reserve(order.reservation_id, product_id=order.product_id, quantity=order.quantity)
    except ProductsUnavailable as error:
        metrics.orders_rejected_total.labels(error.code).inc()
        patience = settings.CONFIG.order_patience if order.idempotency_key else 0  # nobody can come back without a key
        release_lease(order, retry_in=timedelta(seconds=patience))
        raise
    if reservation.state == "held":
        confirm(order)
    elif reservation.state in ("cancelled", "foreign"):
        reject(order, OrderExpired.code, release_after=None)
    else:
        code, available = REJECTIONS[reservation.state], reservation.available
        # Another request that was sent for it may arrive yet, when something is left again. There is none where the
        # first one was answered within its lease.
        is_certain = is_first and reservation.tries == 1
        if not (is_certain and reject(order, code, available=available, release_after=None, within_lease=True)):
            reject(order, code, available=available, release_after=timezone.now())
    if order.status == Order.Status.PENDING:  # somebody else has settled it meanwhile
        order.refresh_from_db(fields=["status", "rejection", "available"])
    if order.status == Order.Status.REJECTED:
        raise rejection_of(order)


def confirm(order: Order) -> bool:
    """Confirm a pending order and announce it; false if it is settled already."""
    with fault_point(OrderStep.CONFIRM), transaction.atomic(), connection.cursor() as cursor:
        if not _transition(order, Order.objects.all(), status=Order.Status.CONFIRMED, leased=None, recover_after=None):
            return False
        publish_confirmed(cursor, order, timezone.now())
    metrics.count_confirmed(order.quantity)
    return True


def reject(
    order: Order,
    code: str,
    *,
    available: int | None = None,
    release_after: datetime | None,
    within_lease: bool = False,
) -> bool:
    """Reject a pending order; false if it is settled already, or this process' lease is over and had to hold.

    `release_after` is None only where nothing is reserved for it, nor ever will be.
    """
    orders = Order.objects.filter(recover_after=order.recover_after) if within_lease else Order.objects.all()
    rejected = {"status": Order.Status.REJECTED, "rejection": code, "available": available}
    leased = None if release_after is None else release_after == order.recover_after
    with fault_point(OrderStep.REJECT):
        if not _transition(order, orders, **rejected, leased=leased, recover_after=release_after):
            return False
    metrics.orders_rejected_total.labels(code).inc()
    log.debug("order.rejected", reason=code)
    return True


def release_lease(order: Order, *, retry_in: timedelta) -> None:
    """Give the lease back, and leave the order to recover_orders after a pause; a lease that ran out stays as it is."""
    held = Order.objects.filter(pk=order.pk, status=order.status, leased=True, recover_after=order.recover_after)
    held.update(leased=False, recover_after=timezone.now() + retry_in)


def mark_released(order: Order) -> None:
    """Note that a rejected order's reservation was given back."""
    Order.objects.filter(pk=order.pk, status=Order.Status.REJECTED).update(leased=None, recover_after=None)


def rejection_of(order: Order) -> DomainError:
    """Return the error that a rejected order is answered with."""
    if order.rejection == OutOfStock.code:
        return OutOfStock(order.available or 0)
    return ProductDoesNotExist() if order.rejection == ProductDoesNotExist.code else OrderExpired()


def _lease_end() -> datetime:
    return timezone.now() + timedelta(seconds=settings.CONFIG.order_lease)


def _transition(order: Order, orders: QuerySet[Order], **fields: Any) -> bool:
    """Move a pending order, in the table and in memory; false if it is not pending, or not among `orders`."""
    if not orders.filter(pk=order.pk, status=Order.Status.PENDING).update(**fields):
        return False
    for name, value in fields.items():
        setattr(order, name, value)
    return True
