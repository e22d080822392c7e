"""A purge does not delay other users of orders."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from ops.tests.run_command import run
from ops.tests.tolerance import tolerance
from orders_project.orders.management.commands.purge_orders import Command
from orders_project.orders.models import Order
from orders_project.orders.purging import purge_orders
from orders_project.orders.tests.stored_orders import store_orders

pytestmark = pytest.mark.django_db(transaction=True)

OLD = timedelta(days=91)
PURGE = ("--older-than", "90d", "--yes", "--pause", "0")
LONGEST_LOCK = timedelta(seconds=tolerance(0.1))

# The age of the purge's transaction, if it holds a write lock on the table of orders.
LOCKS = """
    SELECT clock_timestamp() - xact_start FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE relation = 'orders_order'::regclass AND mode <> 'AccessShareLock' AND granted
      AND xact_start IS NOT NULL AND application_name LIKE 'purge_orders %'
"""
SLOW_ON_POSTGRESQL = """
    CREATE FUNCTION snooze() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.003); RETURN OLD; END';
    CREATE TRIGGER snooze BEFORE DELETE ON orders_order FOR EACH ROW EXECUTE FUNCTION snooze()
"""
SLOW_ON_SQLITE = "CREATE TRIGGER snooze BEFORE DELETE ON orders_order BEGIN SELECT snooze(); END"


@contextmanager
def slow_deletion() -> Iterator[None]:
    """Make the database take 3 ms for each deleted order."""
    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if not is_postgresql:
            connection.connection.create_function("snooze", 0, lambda: time.sleep(0.003))
        cursor.execute(SLOW_ON_POSTGRESQL if is_postgresql else SLOW_ON_SQLITE)
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION snooze CASCADE" if is_postgresql else "DROP TRIGGER snooze")


@contextmanager
def locks_watched() -> Iterator[list[timedelta]]:
    """Yield the ages of the purge's transactions with a lock on orders, polled from a thread."""
    ages: list[timedelta] = []
    ended = threading.Event()
    watcher = connection.copy()
    watcher.inc_thread_sharing()

    def watch() -> None:
        with watcher.cursor() as cursor:
            while not ended.is_set():
                cursor.execute(LOCKS)
                ages.extend(age for (age,) in cursor.fetchall())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield ages
    finally:
        ended.set()
        thread.join()
        watcher.close()


def test_twenty_thousand_orders_are_purged_without_a_lock_of_100_ms() -> None:
    store_orders(20_000, age=OLD)
    if connection.vendor != "postgresql":  # where a writer waits for the one lock of all; the batches stay short
        assert run(Command(), *PURGE, "--batch", "5000")[0] == 0
        return

    with locks_watched() as ages:
        code, output, _ = run(Command(), *PURGE, "--batch", "5000")

    assert code == 0
    assert output.startswith("Purged 20000 orders")
    assert len(ages) > 5
    assert max(ages) < LONGEST_LOCK


def test_where_deleting_is_slow_the_batches_become_small() -> None:
    store_orders(300, age=OLD)
    with slow_deletion():
        batches = list(purge_orders(before=timezone.now() - timedelta(days=90)))

    assert sum(batch.deleted for batch in batches) == 300
    assert max(batch.deleted for batch in batches[1:]) <= 50
    if connection.vendor == "postgresql":  # it cancels a statement after 80 ms
        assert batches[0].deleted <= 25


def test_an_order_that_somebody_has_locked_is_left_to_the_next_run() -> None:
    locked = store_orders(3, age=OLD)[1]
    if connection.vendor != "postgresql":  # it does not lock single orders
        assert not connection.features.has_select_for_update
        return
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", [locked.pk])

        code, _, errors = run(Command(), *PURGE)

        cursor.execute("ROLLBACK")
    other.close()
    assert code == 1
    assert errors.startswith("Purged 2 orders placed before 20")
    assert errors.endswith("1 are left: locked by other transactions. Run it again to go on.\n")
    assert list(Order.objects.values_list("pk", flat=True)) == [locked.pk]
    assert run(Command(), *PURGE)[0] == 0
    assert not Order.objects.exists()


def test_its_bounds_do_not_outlast_it() -> None:
    if connection.vendor != "postgresql":
        assert connection.settings_dict["OPTIONS"]["timeout"] == 20
        return
    store_orders(1, age=OLD)
    with connection.cursor() as cursor:
        bounds = "SELECT current_setting('statement_timeout'), current_setting('synchronous_commit')"
        cursor.execute(bounds)
        before = cursor.fetchone()

        assert run(Command(), *PURGE)[0] == 0

        cursor.execute(bounds)
        assert cursor.fetchone() == before
