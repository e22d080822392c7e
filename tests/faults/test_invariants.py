"""Each check detects a broken promise: a check that never fails proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults import invariants
from tests.faults.invariants import State
from tests.faults.ledger import Attempt, Intent, Ledger, is_final

RESERVATION = "5f0c9a34-0000-4000-8000-000000000001"


def order(number: int = 1, **changes: Any) -> dict[str, Any]:
    row = {"id": number, "product_id": 2, "quantity": 3, "status": "confirmed", "idempotency_key": "k1"}
    return row | {"reservation_id": RESERVATION, "recover_after": None} | changes


def reservation(**changes: Any) -> dict[str, Any]:
    row = {"id": RESERVATION.replace("-", ""), "product_id": 2, "quantity": 3, "status": "held", "takes_stock": True}
    return row | changes


def told(*numbers: int, key: str = "k1") -> dict[str, Intent]:
    attempts = [Attempt(201, {"id": number}) for number in numbers]
    return {key: Intent(key, 2, 3, attempts, sent=len(attempts))}


def state(**changes: Any) -> State:
    sound: dict[str, Any] = {
        "intents": told(1),
        "orders": [order()],
        "initial_stock": {2: 10},
        "products": [{"id": 2, "stock": 7}],
        "reservations": [reservation()],
        "sales": [{"product_id": 2, "units_sold": 3}],
    }
    return State(**(sound | changes))


CHECKS = [invariant.check for invariant in invariants.INVARIANTS]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_sound_state_has_no_violation(check: Any) -> None:
    assert check(state()) == []


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (invariants.acknowledged_is_stored_once, {"orders": []}),
        (invariants.acknowledged_is_stored_once, {"orders": [order(quantity=4)]}),
        (invariants.acknowledged_is_stored_once, {"orders": [order(status="rejected")]}),
        (invariants.acknowledged_is_stored_once, {"intents": told(1) | told(1, key="k2")}),
        (invariants.nothing_is_stored_unasked, {"intents": {}}),
        (invariants.same_key_is_same_order, {"intents": told(1, 2)}),
        (invariants.same_key_is_same_order, {"orders": [order(), order(2)]}),
        (invariants.every_client_was_answered, {"intents": {"k1": Intent("k1", 2, 3, [Attempt(500)], sent=1)}}),
        (invariants.every_client_was_answered, {"intents": {"k1": Intent("k1", 2, 3, [], sent=1)}}),
        (invariants.no_order_is_pending, {"orders": [order(status="pending")]}),
        (invariants.rejected_orders_hold_nothing, {"orders": [order(status="rejected")]}),
        (
            invariants.rejected_orders_hold_nothing,
            {"orders": [order(status="rejected", recover_after="2026-11-20")], "reservations": []},
        ),
        (invariants.stock_is_conserved, {"products": [{"id": 2, "stock": 8}]}),
        (invariants.stock_is_conserved, {"products": [{"id": 2, "stock": -1}]}),
        (invariants.stock_is_conserved, {"reservations": [reservation(status="cancelled")]}),
        (invariants.stock_is_conserved, {"reservations": [reservation(takes_stock=False)]}),
        (invariants.held_is_sold, {"reservations": []}),
        (invariants.held_is_sold, {"orders": [order(status="rejected")]}),
        (invariants.held_is_sold, {"reservations": [reservation(quantity=4)]}),
        (invariants.sales_equal_confirmed_orders, {"sales": []}),
        (invariants.sales_equal_confirmed_orders, {"sales": [{"product_id": 2, "units_sold": 6}]}),
        (invariants.outbox_is_drained, {"outbox": [{"position": 1, "dead_at": None}]}),
    ],
)
def test_a_broken_promise_is_seen(check: Any, broken: dict[str, Any]) -> None:
    assert check(state(**broken)) != []


def test_the_ledger_reads_back_what_was_sent_and_how_it_ended(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.sent(key="a", product_id=1, quantity=2)
    ledger.ended("a", Attempt(error="ConnectionError"))
    ledger.sent(key="a", product_id=1, quantity=2)
    ledger.ended("a", Attempt(201, {"id": 7}))
    ledger.sent(key="b", product_id=2, quantity=1)
    ledger.close()

    intents = ledger.intents()

    assert (intents["a"].acknowledged, intents["a"].sent, intents["a"].is_settled) == ({7}, 2, True)
    assert (intents["b"].acknowledged, intents["b"].is_settled) == (set(), False)


@pytest.mark.parametrize(
    ("attempt", "final"),
    [
        (Attempt(201, {"id": 1}), True),
        (Attempt(409, {"code": "out_of_stock"}), True),
        (Attempt(422, {"code": "idempotency_key_reused"}), True),
        (Attempt(409, {"code": "request_in_progress"}), False),
        (Attempt(500, {"code": "products_unavailable"}), False),
        (Attempt(error="ReadTimeout"), False),
    ],
)
def test_a_client_knows_what_is_final(attempt: Attempt, final: bool) -> None:
    assert is_final(attempt) is final
