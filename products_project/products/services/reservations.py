"""Use cases that reserve and release stock.

They are correct under any isolation level and any order of requests, as the database makes each decision in one
statement. The primary key decides which request was first under an id. A conditional UPDATE decides which gets the last
piece, and a CHECK keeps stock from becoming negative. Every transaction locks its reservation first and at most one
product last, so transactions never wait in a circle. The contended product is locked only until the COMMIT.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from ops.api.problems import Busy, DomainError
from ops.database.errors import is_contention
from ops.testing.fault_points import fault_point
from products_project.products import metrics
from products_project.products.errors import OutOfStock, ProductNotFound, ReservationCancelled, ReservationReused
from products_project.products.fault_points import ReservationStep
from products_project.products.models import Product, Reservation
from products_project.products.telemetry import note

log = structlog.get_logger(__name__)

TABLE = Reservation._meta.db_table  # noqa: SLF001 - Django's documented API for a model's names

# Waits for a concurrent insert of the same id, and then sees its result.
RESERVE = f"""
    INSERT INTO {TABLE} (id, product_id, quantity, status, takes_stock) VALUES (%s, %s, %s, 'held', true)
    ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 - the name of the model's own table
TOMBSTONE = f"""
    INSERT INTO {TABLE} (id, status, cancelled_at) VALUES (%s, 'cancelled', CURRENT_TIMESTAMP)
    ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 - likewise


@dataclass(frozen=True)
class Reserved:
    """The reservation of an id, and whether this call created it."""

    id: UUID
    product_id: int
    quantity: int
    is_new: bool
    status: str = Reservation.Status.HELD


def reserve(*, reservation_id: UUID, product_id: int, quantity: int) -> Reserved:
    """Reserve pieces of a product on sale under an id, once for any number of calls; raise a DomainError.

    A call that raises has not changed anything.
    """
    note(product_id=product_id)
    with _counted(), fault_point(ReservationStep.RESERVE), transaction.atomic():
        is_new = _insert(RESERVE, reservation_id, product_id, quantity)
        if is_new:
            _take(reservation_id, product_id, quantity)
        else:
            _check_same(reservation_id, product_id, quantity)
    metrics.reservations_total.labels(metrics.RESERVED if is_new else metrics.REPEATED).inc()
    structlog.contextvars.bind_contextvars(reservation_id=str(reservation_id))  # for the request's log line
    if is_new:
        log.debug("reservation.held", product_id=product_id, quantity=quantity)
    return Reserved(reservation_id, product_id, quantity, is_new)


def release(*, reservation_id: UUID) -> None:
    """Release an id, once for any number of calls, so that it can never be reserved again."""
    with _counted(), fault_point(ReservationStep.RELEASE), transaction.atomic():
        if _insert(TOMBSTONE, reservation_id):
            outcome = metrics.TOMBSTONED
        else:  # it exists and is never held again
            outcome = metrics.RELEASED if _give_back(reservation_id) else metrics.REPEATED
    metrics.reservations_total.labels(outcome).inc()
    structlog.contextvars.bind_contextvars(reservation_id=str(reservation_id))
    if outcome == metrics.RELEASED:
        log.debug("reservation.released")


@contextmanager
def _counted() -> Iterator[None]:
    try:
        yield
    except DomainError as error:
        metrics.reservations_total.labels(error.code).inc()
        raise
    except OperationalError as error:  # which the exception handler answers
        if is_contention(error):
            metrics.reservations_total.labels(Busy.code).inc()
        raise


def _insert(statement: str, reservation_id: UUID, *values: int) -> bool:
    """Insert a reservation and return whether its id was free."""
    key = Reservation._meta.pk.get_db_prep_value(reservation_id, connection)  # noqa: SLF001 - as above
    with connection.cursor() as cursor:
        cursor.execute(statement, [key, *values])
        return bool(cursor.rowcount)


def _take(reservation_id: UUID, product_id: int, quantity: int) -> None:
    """Subtract the quantity from tracked stock; raise ProductNotFound or OutOfStock."""
    on_sale = Product.objects.filter(pk=product_id, retired_at=None)
    in_stock = on_sale.filter(stock__gte=quantity)
    if in_stock.update(stock=F("stock") - quantity):
        return
    # Locked, so that the answer is still true when it is sent. This UPDATE takes the same table lock as the next one: a
    # stronger lock while this row is locked could deadlock with seed_products.
    product = on_sale.select_for_update().only("id", "stock").first()
    if product is None:
        raise ProductNotFound
    if product.stock is None:
        Reservation.objects.filter(pk=reservation_id).update(takes_stock=False)
    elif not in_stock.update(stock=F("stock") - quantity):  # a release may have come in between
        raise OutOfStock(available=product.stock)


def _check_same(reservation_id: UUID, product_id: int, quantity: int) -> None:
    """Raise ReservationCancelled or ReservationReused if the id does not hold exactly this."""
    found = Reservation.objects.only("status", "product_id", "quantity").filter(pk=reservation_id).first()
    if found is None or found.status == Reservation.Status.CANCELLED:  # None: purged meanwhile
        raise ReservationCancelled
    if (found.product_id, found.quantity) != (product_id, quantity):
        raise ReservationReused


def _give_back(reservation_id: UUID) -> bool:
    """Cancel a held reservation; return whether this call did it."""
    mine = Reservation.objects.filter(pk=reservation_id)
    held = mine.filter(status=Reservation.Status.HELD)
    if not held.update(status=Reservation.Status.CANCELLED, cancelled_at=Now()):
        return False
    found = mine.only("product_id", "quantity", "takes_stock").get()
    if found.takes_stock:
        # Not if the stock is no longer tracked or the product was deleted.
        back_to = Product.objects.filter(pk=found.product_id, stock__isnull=False)  # type: ignore[misc] # a constraint ensures an id
        back_to.update(stock=F("stock") + found.quantity)
    return True
