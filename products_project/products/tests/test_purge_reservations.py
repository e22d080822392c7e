"""purge_reservations deletes tombstones, never held reservations."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from ops.tests.run_command import run
from products_project.products.management.commands.purge_reservations import Command
from products_project.products.models import Product, Reservation
from products_project.products.services import reservations

pytestmark = pytest.mark.django_db

OLD = timedelta(days=60)
BEFORE = (timezone.now() - timedelta(days=30)).isoformat()


def cancelled_long_ago() -> UUID:
    """Create a tombstone of two months ago."""
    tombstone = uuid4()
    reservations.release(reservation_id=tombstone)
    Reservation.objects.filter(pk=tombstone).update(cancelled_at=timezone.now() - OLD)
    return tombstone


def test_it_deletes_old_tombstones_in_batches_and_keeps_what_is_held_and_what_is_young() -> None:
    product = Product.objects.create(name="Antimatter Mouse", stock=5)
    held, young = uuid4(), uuid4()
    reservations.reserve(reservation_id=held, product_id=product.pk, quantity=2)
    Reservation.objects.filter(pk=held).update(created_at=timezone.now() - OLD)
    reservations.release(reservation_id=young)
    for _ in range(3):
        cancelled_long_ago()

    code, output, _ = run(Command(), "--before", BEFORE, "--batch", "2", "--yes")

    assert code == 0
    assert output.startswith("Purged 3 reservations cancelled before 20")
    assert set(Reservation.objects.values_list("pk", flat=True)) == {held, young}
    product.refresh_from_db()
    assert product.stock == 3


def test_a_dry_run_deletes_nothing() -> None:
    cancelled_long_ago()

    code, output, _ = run(Command(), "--older-than", "30d", "--dry-run")

    assert code == 0
    assert output.startswith("Would purge 1 reservation cancelled before 20")
    assert Reservation.objects.count() == 1


def test_the_last_day_is_refused() -> None:
    yesterday = (timezone.now() - timedelta(hours=23)).isoformat()

    with pytest.raises(CommandError, match="less than 1d ago"):
        run(Command(), "--before", yesterday, "--yes")
