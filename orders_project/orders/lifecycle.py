"""How an order becomes confirmed or rejected: by its request, by a retry, or by recover_orders.

pending ──→ confirmed
        └─→ rejected ──→ its reservation released

Each arrow is one conditional UPDATE. The first two exclude each other. A reservation is released only after its order
is rejected, so a confirmed order keeps its reservation, however late or often a request repeats.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Q, QuerySet
from django.utils import timezone

from events.outbox.publish import event_values, insert_and_publish, recorded_subject
from events.payloads import OrderConfirmed
from ops.database.compiled_query import prepared_cursor
from ops.database.lost_session import is_gone, is_lost
from ops.testing.fault_points import fault_point
from orders_project.orders import errors, metrics
from orders_project.orders.events import CONFIRMED_SQL, publish_confirmed
from orders_project.orders.fault_points import OrderStep
from orders_project.orders.models import Order
from orders_project.orders.products_client import ProductsClient

log = structlog.get_logger(__name__)

# The states of a reservation that reject its order, and the code of the rejection. `unknown`: the product was retired
# after the order's first call.
REJECTIONS = {"out_of_stock": errors.OutOfStock.code, "unknown": errors.ProductDoesNotExist.code}


# Almost every order runs this statement: building it in the ORM takes longer than executing it. The other columns are
# null then.
INSERT_CONFIRMED = (
    f"INSERT INTO {Order._meta.db_table} "  # noqa: S608, SLF001 - the model's own table
    "(product_id, product_name, quantity, status, owner, idempotency_key, payload_hash) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id, created_at, product_id, quantity"
)
INSERT_AND_PUBLISH = insert_and_publish(INSERT_CONFIRMED, subject="id::text", data=CONFIRMED_SQL)


def store_confirmed(order: Order) -> None:
    """Store an order that needs no reservation, and publish its event."""
    order.status = Order.Status.CONFIRMED
    with fault_point(OrderStep.STORE_ORDER):
        if connection.vendor == "postgresql":
            _insert_and_publish(order)
        else:
            with transaction.atomic(), connection.cursor() as cursor:
                _insert(cursor, order, INSERT_CONFIRMED)
                publish_confirmed(cursor, order, order.created_at)
    metrics.count_confirmed(order.quantity)


def _insert_and_publish(order: Order) -> None:
    """Insert by one statement; once more if its session was lost and has not committed it."""
    values, started = event_values(OrderConfirmed), time.monotonic()
    with prepared_cursor(connection) as cursor:
        session = connection.connection.info.backend_pid
        try:
            _insert(cursor, order, INSERT_AND_PUBLISH, *values)
        except OperationalError as error:
            if not is_lost(connection, error, since=started):
                raise
            connection.close()
            if not is_gone(connection, session):
                raise
            log.warning("order.stored_again")
            _insert_unless_recorded(order, values)


def _insert_unless_recorded(order: Order, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        if (subject := recorded_subject(cursor, values)) is None:
            _insert(cursor, order, INSERT_AND_PUBLISH, *values)
        else:
            order.pk = int(subject)
            order.refresh_from_db()


def _insert(cursor: CursorWrapper, order: Order, statement: str, *more: Any) -> None:
    values = (order.product_id, order.product_name, order.quantity, order.status, order.owner)
    cursor.execute(statement, [*values, order.idempotency_key, order.payload_hash, *more])
    order.pk, created_at, *_ = cursor.fetchone()
    order.created_at = created_at.replace(tzinfo=UTC)  # SQLite's has no time zone
    order._state.adding = False  # noqa: SLF001 - Django's documented name


def store_pending(order: Order) -> None:
    """Store a pending order, leased to this request."""
    order.status = Order.Status.PENDING
    order.reservation_id = uuid4()
    order.leased, order.recover_after = True, _lease_end()
    with fault_point(OrderStep.STORE_PENDING):
        order.save(force_insert=True)


def claim(order: Order, *, for_retry: bool = False) -> bool:
    """Take the lease if it has expired or, for a client's retry, was released; return whether this call has it."""
    now = timezone.now()
    is_free = Q(recover_after__lte=now) | Q(leased=False) if for_retry else Q(recover_after__lte=now)
    end = _lease_end()
    if not Order.objects.filter(is_free, pk=order.pk, status=order.status).update(leased=True, recover_after=end):
        return False
    order.leased, order.recover_after = True, end
    return True


def resolve(order: Order, products: ProductsClient, *, is_first: bool = True) -> None:
    """Reserve stock for a pending order and confirm it; raise the reason of its rejection, or ProductsUnavailable.

    `is_first`: no earlier request for this order's reservation can still be on its way.
    Without an answer from products, the reservation may or may not exist. The order stays pending, for the client's
    retry or for recover_orders.
    """
    assert order.reservation_id is not None  # noqa: S101 - a constraint of the table
    try:
        with fault_point(OrderStep.RESERVE):
            reservation = products.reserve(order.reservation_id, product_id=order.product_id, quantity=order.quantity)
    except errors.ProductsUnavailable as error:
        metrics.orders_rejected_total.labels(error.code).inc()
        patience = settings.CONFIG.order_patience if order.idempotency_key else 0  # no retry without a key
        release_lease(order, retry_in=timedelta(seconds=patience))
        raise
    if reservation.state == "held":
        confirm(order)
    elif reservation.state in ("cancelled", "foreign"):
        reject(order, errors.OrderExpired.code, release_after=None)
    else:
        code, available = REJECTIONS[reservation.state], reservation.available
        # An earlier request for the same reservation may still arrive, and find stock then. There is none if the first
        # request was answered within its lease.
        is_certain = is_first and reservation.tries == 1
        if not (is_certain and reject(order, code, available=available, release_after=None, within_lease=True)):
            reject(order, code, available=available, release_after=timezone.now())
    if order.status == Order.Status.PENDING:  # another process has resolved it meanwhile
        order.refresh_from_db(fields=["status", "rejection", "available"])
    if order.status == Order.Status.REJECTED:
        raise rejection_of(order)


def confirm(order: Order) -> bool:
    """Confirm a pending order and publish its event; return false if it is no longer pending."""
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
    """Reject a pending order; return false if it is no longer pending, or if `within_lease` and the lease has expired.

    `release_after` is None only if no reservation exists, and none can be made any more. A caller that releases the
    reservation itself, as recovery does, gives the end of its lease, and so keeps the lease.
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
    """Release the lease, and leave the order to recover_orders after a pause; an expired lease stays as it is."""
    held = Order.objects.filter(pk=order.pk, status=order.status, leased=True, recover_after=order.recover_after)
    held.update(leased=False, recover_after=timezone.now() + retry_in)


def mark_released(order: Order) -> None:
    """Record that a rejected order's reservation was released."""
    Order.objects.filter(pk=order.pk, status=Order.Status.REJECTED).update(leased=None, recover_after=None)


def rejection_of(order: Order) -> errors.OrderRejected:
    """Return the error that answers a rejected order."""
    if order.rejection == errors.OutOfStock.code:
        return errors.OutOfStock(order.available or 0)
    return errors.ProductDoesNotExist() if order.rejection == errors.ProductDoesNotExist.code else errors.OrderExpired()


def _lease_end() -> datetime:
    return timezone.now() + timedelta(seconds=settings.CONFIG.order_lease)


def _transition(order: Order, orders: QuerySet[Order], **fields: Any) -> bool:
    """Move a pending order, in the table and in memory; return false if it is not pending or not among `orders`."""
    if not orders.filter(pk=order.pk, status=Order.Status.PENDING).update(**fields):
        return False
    for name, value in fields.items():
        setattr(order, name, value)
    return True
