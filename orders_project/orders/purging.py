"""Delete old orders, or their keys, in batches too short to hold up other writers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime

from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from psycopg.errors import QueryCanceled

from ops.database.batches import LARGEST_BATCH, Batch
from orders_project.orders import selectors
from orders_project.orders.models import Order

FIRST_BATCH = 100  # orders; the time of each batch decides the size of the next one
SLOW, FAST = 0.05, 0.025  # seconds: above SLOW the next batch is half as large, below FAST twice as large
DELETIONS_A_SECOND = 20_000  # for an estimate; less than measured on two busy cores: docs/operations/reference.md

TABLE = Order._meta.db_table  # noqa: SLF001 - Django's documented API for a model's names

DELETE = f"DELETE FROM {TABLE}"  # noqa: S608 - the name of the model's own table, as below
DELETE_THE_KEY = f"UPDATE {TABLE} SET idempotency_key = NULL, payload_hash = NULL"  # noqa: S608

# One statement outside of a transaction: its locks end with it, even if this process is stopped or killed, and the
# server itself ends a slow one. Orders that other transactions lock are left to the next run. The locks do not wait for
# the disk: if a crash of the server undoes a deletion, the next run repeats it.
WHICH_ON_POSTGRESQL = f"id = ANY(ARRAY(SELECT id FROM {TABLE} WHERE id = ANY(%s) FOR UPDATE SKIP LOCKED))"  # noqa: S608
WHICH_ON_SQLITE = "id IN (SELECT value FROM json_each(%s))"
BOUNDS_ON_POSTGRESQL = "SET statement_timeout = 80; SET synchronous_commit = off"  # milliseconds
NO_BOUNDS_ON_POSTGRESQL = "RESET statement_timeout; RESET synchronous_commit"


def purge_orders(*, before: datetime, largest: int = LARGEST_BATCH) -> Iterator[Batch]:
    """Delete the orders placed before that moment, oldest first; yield after each batch, without a lock.

    Orders that another transaction locks are left, and so are those that `purgeable_orders` leaves out.
    """
    return _in_batches(DELETE, selectors.purgeable_orders(before), largest)


def purge_keys(*, before: datetime, largest: int = LARGEST_BATCH) -> Iterator[Batch]:
    """Delete the keys of the orders placed before that moment, in the same way; the orders stay."""
    return _in_batches(DELETE_THE_KEY, selectors.orders_with_old_keys(before), largest)


def _in_batches(statement: str, orders: QuerySet[Order], largest: int) -> Iterator[Batch]:
    size, since = min(FIRST_BATCH, largest), None
    # From the end of the last batch: before it, the index holds deleted entries until they are vacuumed.
    while oldest := _oldest(orders, since, size):
        try:
            batch = _run(statement, [order_id for order_id, _ in oldest])
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled) or size == 1:
                raise
            size //= 2
            continue
        yield batch
        if batch.seconds > SLOW:
            size = max(1, size // 2)
        elif batch.seconds < FAST:
            size = min(largest, size * 2)
        if not batch.deleted and since == oldest[-1][1]:
            break  # the orders left of that moment are locked
        since = oldest[-1][1]


def _oldest(orders: QuerySet[Order], since: datetime | None, size: int) -> list[tuple[int, datetime]]:
    """Return id and time of the oldest orders, from `since` on."""
    orders = orders if since is None else orders.filter(created_at__gte=since)
    return list(orders.order_by("created_at").values_list("pk", "created_at")[:size])


def _run(statement: str, ids: list[int]) -> Batch:
    is_postgresql = connection.vendor == "postgresql"
    which, parameter = (WHICH_ON_POSTGRESQL, ids) if is_postgresql else (WHICH_ON_SQLITE, json.dumps(ids))
    with connection.cursor() as cursor, _bounds(cursor) if is_postgresql else nullcontext():
        started = time.monotonic()
        cursor.execute(f"{statement} WHERE {which}", [parameter])
        return Batch(cursor.rowcount, time.monotonic() - started)


@contextmanager
def _bounds(cursor: CursorWrapper) -> Iterator[None]:
    cursor.execute(BOUNDS_ON_POSTGRESQL)
    try:
        yield
    finally:
        if connection.is_usable():
            cursor.execute(NO_BOUNDS_ON_POSTGRESQL)
