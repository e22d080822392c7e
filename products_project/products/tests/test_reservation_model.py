"""Reservations match a plain-Python model for any order of calls."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ops.api.problems import DomainError
from products_project.products.errors import OutOfStock
from products_project.products.models import Product, Reservation
from products_project.products.services import reservations

TRACKED, SCARCE, UNTRACKED, UNKNOWN = 1, 2, 3, 4
INITIAL = {TRACKED: 9, SCARCE: 1, UNTRACKED: None}

ids = st.integers(1, 4)  # few, so that they meet again
products = st.sampled_from([TRACKED, TRACKED, SCARCE, UNTRACKED, UNKNOWN])
quantities = st.integers(1, 4)


class ReservationMachine(RuleBasedStateMachine):
    """The model: stock, products on sale, and the reservation of each id, None after its release."""

    @initialize()
    def start(self) -> None:
        Reservation.objects.all().delete()
        Product.objects.all().delete()
        Product.objects.bulk_create(Product(pk=pk, name=str(pk), stock=stock) for pk, stock in INITIAL.items())
        self.stock: dict[int, int | None] = dict(INITIAL)
        self.on_sale = set(INITIAL)
        self.held: dict[int, tuple[int, int, bool] | None] = {}

    def expected(self, key: int, product: int, quantity: int) -> str:
        if key in self.held:
            mine = self.held[key]
            if mine is None:
                return "reservation_cancelled"
            return "held before" if mine[:2] == (product, quantity) else "reservation_reused"
        if product not in self.on_sale:
            return "not_found"
        left = self.stock[product]
        if left is not None and left < quantity:
            return f"out_of_stock, {left} left"
        self.held[key] = product, quantity, left is not None
        if left is not None:
            self.stock[product] = left - quantity
        return "held"

    @rule(key=ids, product=products, quantity=quantities)
    def hold(self, key: int, product: int, quantity: int) -> None:
        try:
            held = reservations.reserve(reservation_id=UUID(int=key), product_id=product, quantity=quantity)
            said = "held" if held.is_new else "held before"
            assert (held.product_id, held.quantity) == (product, quantity)
        except OutOfStock as error:
            said = f"out_of_stock, {error.available} left"
        except DomainError as error:
            said = error.code

        assert said == self.expected(key, product, quantity)

    @rule(key=ids)
    def release(self, key: int) -> None:
        reservations.release(reservation_id=UUID(int=key))

        mine = self.held.get(key)
        self.held[key] = None
        if mine:
            product, quantity, took = mine
            left = self.stock[product]
            if took and left is not None:
                self.stock[product] = left + quantity

    @rule(product=st.sampled_from(list(INITIAL)), count=st.none() | st.integers(0, 9))
    def count(self, product: int, count: int | None) -> None:
        Product.objects.filter(pk=product).update(stock=count)
        self.stock[product] = count

    @rule(product=st.sampled_from(list(INITIAL)))
    def move_on_or_off_sale(self, product: int) -> None:
        self.on_sale ^= {product}
        Product.objects.filter(pk=product).update(retired_at=None if product in self.on_sale else "2026-11-20T00:00Z")

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "stock"):
            return
        assert dict(Product.objects.values_list("pk", "stock")) == self.stock
        kept = {row.pk.int: row for row in Reservation.objects.all()}
        assert set(kept) == set(self.held)
        for key, row in kept.items():
            mine = self.held[key]
            assert row.status == ("held" if mine else "cancelled")
            assert mine is None or mine == (row.product_id, row.quantity, row.takes_stock)


@pytest.mark.django_db
def test_reservations_agree_with_their_model() -> None:
    run_state_machine_as_test(
        ReservationMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
