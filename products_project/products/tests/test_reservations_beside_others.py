"""Reservations wait for one another for a bounded time and then report it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction
from psycopg import errors as postgresql

from ops.api.problems import Busy, database_problem
from ops.database.errors import is_contention
from ops.tests.problem_shape import assert_problem
from products_project.products import metrics
from products_project.products.models import Product, Reservation
from products_project.products.services import reservations
from products_project.products.services.stock import locked_stock
from products_project.products.tests.reserving import release, reserve, set_stock, stock

RESERVE = "INSERT INTO products_reservation (id, product_id, quantity) VALUES (%s, 1, 1)"
TOMBSTONE = "INSERT INTO products_reservation (id, status, cancelled_at) VALUES (%s, 'cancelled', now())"
TABLE_LOCKS = "SELECT mode FROM pg_locks WHERE pid = %s AND relation = 'products_product'::regclass AND granted"
LOCK = "SELECT stock FROM products_product WHERE id = 1 FOR UPDATE"


@pytest.fixture
def _product(transactional_db: None) -> None:
    Product.objects.create(pk=1, name="Chair", stock=5)


@contextmanager
def another(statement: str, *parameters: Any) -> Iterator[Any]:
    """Yield another connection with this statement executed but not committed."""
    other = connection.copy()
    other.inc_thread_sharing()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(statement, parameters)
        yield other
    finally:
        other.rollback()
        other.close()


def impatiently() -> None:
    """Limit the lock waits of this connection to a moment."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 50")


@contextmanager
def waiting(call: Any) -> Iterator[list[Any]]:
    """Run the call in a thread; the body starts when it waits for a lock; then provide its answer."""
    answers: list[Any] = []

    def work() -> None:
        try:
            answers.append(call())
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    with connection.cursor() as cursor:
        for _ in range(100_000):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                break
    yield answers
    thread.join(30)


def on_postgresql() -> bool:
    """Return whether rows can be locked; SQLite locks the whole file, and the tests' database is in memory."""
    return connection.vendor == "postgresql"


@pytest.mark.usefixtures("_product")
@pytest.mark.parametrize("statement", [LOCK, RESERVE, TOMBSTONE])
def test_who_waits_too_long_is_told_to_try_again_and_has_changed_nothing(statement: str) -> None:
    if not on_postgresql():
        return
    impatiently()
    with another(statement, *([UUID(int=7)] if statement != LOCK else [])):
        answers = [reserve(7), release(7)] if statement != LOCK else [reserve(7)]

    for answer in answers:
        assert_problem(answer, 503, "busy")
        assert answer.headers["Retry-After"] == "1"
    assert stock() == 5
    assert not Reservation.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


@pytest.mark.usefixtures("_product")
@pytest.mark.parametrize(
    ("first", "commits", "status", "left"),
    [(RESERVE, True, 200, 5), (RESERVE, False, 201, 4), (TOMBSTONE, True, 409, 5), (TOMBSTONE, False, 201, 4)],
)
def test_who_holds_second_goes_by_what_became_of_the_first(first: str, commits: bool, status: int, left: int) -> None:
    if not on_postgresql():
        return
    with another(first, UUID(int=7)) as other, waiting(lambda: reserve(7).status_code) as answers:
        other.commit() if commits else other.rollback()

    assert answers == [status]
    assert stock() == left


@pytest.mark.usefixtures("_product")
def test_who_releases_while_another_holds_gives_back_what_that_one_took() -> None:
    if not on_postgresql():
        return
    take = "UPDATE products_product SET stock = stock - 1 WHERE id = 1"
    with another(
        RESERVE.replace("quantity)", "quantity, takes_stock)").replace("1, 1)", "1, 1, true)"), UUID(int=7)
    ) as o:
        with o.cursor() as cursor:
            cursor.execute(take)
        with waiting(lambda: release(7).status_code) as answers:
            o.commit()

    assert answers == [204]
    assert stock() == 5
    assert Reservation.objects.get().status == "cancelled"


@pytest.mark.usefixtures("_product")
@pytest.mark.parametrize(("more", "status", "left"), [(2, 201, 0), (1, 409, 1)])
def test_what_came_back_while_one_waited_counts(more: int, status: int, left: int) -> None:
    if not on_postgresql():
        return
    set_stock(0)
    change = f"UPDATE products_product SET stock = stock + {more} WHERE id = 1"
    with another(change) as other, waiting(lambda: reserve(7, quantity=2).status_code) as answers:
        other.commit()

    assert answers == [status]
    assert stock() == left


@pytest.mark.usefixtures("_product")
@pytest.mark.parametrize("left", [5, 0, None])
def test_who_locks_a_product_has_locked_the_table_for_writing_before(left: int | None) -> None:
    """Otherwise seed_products, which locks out all writers, could come in between and wait for the row for ever."""
    if not on_postgresql():
        return
    set_stock(left)
    modes: list[set[str]] = []

    def look(execute: Any, sql: str, *rest: Any) -> Any:
        if "FOR UPDATE" in sql:
            modes.append(table_locks())
        return execute(sql, *rest)

    with transaction.atomic():
        locked_stock(1)
        assert "RowExclusiveLock" in table_locks()
    with connection.execute_wrapper(look):
        reserve(7)

    assert len(modes) == (0 if left else 1)
    assert all("RowExclusiveLock" in held for held in modes)


def table_locks() -> set[str]:
    """Return the modes in which this connection has locked the table of products."""
    with another(TABLE_LOCKS, connection.connection.info.backend_pid) as other, other.cursor() as cursor:
        cursor.execute(TABLE_LOCKS, [connection.connection.info.backend_pid])
        return {mode for (mode,) in cursor.fetchall()}


def test_a_locked_file_of_sqlite_is_contention(tmp_path: Path) -> None:
    first, second = (sqlite3.connect(tmp_path / "file", timeout=0) for _ in range(2))
    first.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as locked:
        second.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as mistaken:
        second.execute("SELECT 1 FROM nowhere")
    first.close()
    second.close()

    assert is_contention(locked.value)
    assert not is_contention(mistaken.value)


@pytest.mark.parametrize(
    ("cause", "counted"),
    [
        (postgresql.LockNotAvailable(), 1),
        (postgresql.DeadlockDetected(), 1),
        (postgresql.SerializationFailure(), 1),
        (postgresql.QueryCanceled(), 1),
        (postgresql.AdminShutdown(), 0),
        (None, 0),
    ],
)
def test_only_what_changed_nothing_is_busy(cause: Exception | None, counted: int) -> None:
    busy = metrics.reservations_total.labels("busy")
    before = busy._value.get()

    with pytest.raises(OperationalError) as refused, reservations._counted():
        raise OperationalError("gone") from cause

    assert busy._value.get() == before + counted
    assert isinstance(database_problem(refused.value), Busy) is bool(counted)
