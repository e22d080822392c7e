"""purge_idempotency_keys removes old keys, and purge_orders keeps orders with young keys."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError
from django.db import connection
from django.utils import timezone

from ops.tests.run_command import run
from orders_project.orders import purging, selectors
from orders_project.orders.management.commands import purge_orders
from orders_project.orders.management.commands.purge_idempotency_keys import Command
from orders_project.orders.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


def store(key: str | None, *, hours: float, **fields: object) -> Order:
    """Store an order of that age."""
    return Order.objects.create(
        product_id=1,
        quantity=1,
        idempotency_key=key,
        payload_hash=key and "0" * 64,
        created_at=timezone.now() - timedelta(hours=hours),
        **fields,
    )


def pending(hours: float, key: str | None = None) -> Order:
    return store(key, hours=hours, status="pending", reservation_id=uuid4(), recover_after=timezone.now())


def keys() -> set[str | None]:
    return set(Order.objects.values_list("idempotency_key", flat=True))


def test_it_forgets_keys_of_a_day_ago_and_leaves_the_orders() -> None:
    for number, hours in enumerate((23.9, 24.1, 48, 9000)):
        store(f"k{number}", hours=hours)
    store(None, hours=48)

    code, output, _ = run(Command(), "--pause", "0")

    assert (code, output[: output.index(" of orders")]) == (0, "Purged 3 keys")
    assert keys() == {"k0", None}
    assert Order.objects.filter(payload_hash=None).count() == 4
    assert run(Command(), "--pause", "0")[1].startswith("Purged 0 keys of orders placed before 20")


def test_a_longer_duration_keeps_more() -> None:
    store("young", hours=48)
    store("old", hours=200)

    run(Command(), "--older-than", "7d", "--pause", "0")

    assert keys() == {"young", None}


def test_a_dry_run_counts_and_changes_nothing() -> None:
    store("k", hours=48)

    code, output, _ = run(Command(), "--dry-run", "--json")

    document = json.loads(output)
    assert (code, document["counts"], document["dryRun"]) == (0, {"purgeable": 1, "kept": 0}, True)
    assert document["summary"].startswith("Would purge 1 key of orders placed before 20")
    assert keys() == {"k"}


@pytest.mark.parametrize("text", ["23h", "0d", "1 day"])
def test_less_than_a_day_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"less than 1d|not a duration"):
        run(Command(), "--older-than", text)


def test_the_key_of_a_pending_order_stays_as_its_client_may_yet_come_back() -> None:
    pending(100, "k")

    run(Command(), "--pause", "0")

    assert keys() == {"k"}


def test_many_keys_go_in_batches() -> None:
    old = timezone.now() - timedelta(hours=30)
    Order.objects.bulk_create(
        Order(product_id=1, quantity=1, idempotency_key=f"k{n}", payload_hash="0" * 64, created_at=old)
        for n in range(450)
    )

    counts = json.loads(run(Command(), "--batch", "100", "--pause", "0", "--json")[1])["counts"]

    assert (counts["purged"], counts["left"]) == (450, 0)
    assert counts["batches"] >= 5


def test_a_signal_ends_it_after_the_batch_in_hand() -> None:
    for number in range(3):
        store(f"k{number}", hours=48)
    command = Command()
    command.stopping = True

    code, _, errors = run(command, "--batch", "1", "--pause", "0")

    assert code == 1
    assert errors.endswith("2 are left: stopped by a signal. Run it again to go on.\n")


def test_no_order_is_purged_while_its_key_is_young_whatever_the_cutoff() -> None:
    young, old = store("young", hours=23), store("old", hours=25)
    assert selectors.purgeable_orders(timezone.now()).get() == old

    assert sum(batch.deleted for batch in purging.purge_orders(before=timezone.now())) == 1
    assert list(Order.objects.all()) == [young]


def test_purge_orders_keeps_what_is_not_settled_and_says_so() -> None:
    store(None, hours=100)
    kept = [pending(100), store(None, hours=100, status="rejected", rejection="x", recover_after=timezone.now())]

    foreseen = run(purge_orders.Command(), "--older-than", "2d", "--dry-run")[1]
    code, output, _ = run(purge_orders.Command(), "--older-than", "2d", "--yes", "--pause", "0")

    assert "2 orders would stay: not settled yet, or with a young key. Nothing was changed." in foreseen
    assert code == 0
    assert output.startswith("Purged 1 order placed before 20")
    assert output.endswith("Kept 2 orders: not settled yet, or with a young key.\n")
    assert set(Order.objects.all()) == set(kept)


def test_the_keys_are_found_in_their_index() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")
        statement = str(selectors.orders_with_old_keys(timezone.now()).order_by("created_at").explain())
        if connection.vendor == "postgresql":
            cursor.execute("RESET enable_seqscan")

    assert "order_key_created_at" in statement
