"""Orders match a plain model for any order of requests, lost answers, late arrivals and recoveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from ops.api.problems import DomainError
from orders_project.config import OrdersConfig
from orders_project.orders import recovery, services
from orders_project.orders.errors import ProductsUnavailable
from orders_project.orders.models import Order
from orders_project.orders.products_client import Product, Reservation

STOCK = 6
KEYS = st.sampled_from(["a", "b", "c", "d"])
BOUNDS = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FATES = st.sampled_from(["answered", "answered", "lost before", "lost after", "late"])


class Products:
    """Products' side of the contract as a plain model; `arrive` delivers a `late` PUT."""

    def __init__(self) -> None:
        self.left, self.held, self.cancelled = STOCK, {}, set[UUID]()  # type: ignore[var-annotated]
        self.late: list[tuple[UUID, int]] = []
        self.fate = "answered"

    def fetch_product(self, product_id: int) -> Product:
        return Product(product_id, "Quantum Laptop", is_tracked=True)

    def reserve(self, reservation_id: UUID, *, product_id: int, quantity: int) -> Reservation:
        if self.fate == "late":
            self.late.append((reservation_id, quantity))
        if self.fate in ("late", "lost before"):
            raise ProductsUnavailable
        found = self.hold(reservation_id, quantity)
        if self.fate == "lost after":
            raise ProductsUnavailable
        return found

    def hold(self, reservation_id: UUID, quantity: int) -> Reservation:
        if reservation_id in self.cancelled:
            return Reservation("cancelled")
        if reservation_id not in self.held:
            if self.left < quantity:
                return Reservation("out_of_stock", self.left)
            self.left -= quantity
            self.held[reservation_id] = quantity
        return Reservation("held")

    def find_reservation(self, reservation_id: UUID, **wanted: Any) -> Reservation:
        self.stumble("lost before", "late", "lost after")
        if reservation_id in self.cancelled:
            return Reservation("cancelled")
        return Reservation("held" if reservation_id in self.held else "unknown")

    def release(self, reservation_id: UUID) -> None:
        self.stumble("lost before", "late")
        self.left += self.held.pop(reservation_id, 0)
        self.cancelled.add(reservation_id)
        self.stumble("lost after")

    def stumble(self, *fates: str) -> None:
        if self.fate in fates:
            raise ProductsUnavailable


class OrderMachine(RuleBasedStateMachine):
    """The model records the first answer of each key; the rest are invariants."""

    def __init__(self) -> None:
        super().__init__()
        Order.objects.all().delete()
        self.products = Products()
        self.answers: dict[str, tuple[Any, ...]] = {}
        self.payloads: dict[str, int] = {}

    @rule(key=KEYS, quantity=st.integers(1, 3), fate=FATES)
    def place(self, key: str, quantity: int, fate: str) -> None:
        self.products.fate = fate
        try:
            placed = services.place_order(product_id=1, quantity=quantity, key=key, products=self.products)  # type: ignore[arg-type]
            answer: tuple[Any, ...] = ("confirmed", placed.order.pk)
        except DomainError as error:
            answer = (error.code, *error.members.values())
        if quantity != self.payloads.setdefault(key, quantity):
            assert answer == ("idempotency_key_reused",)
        elif key in self.answers:
            assert answer == self.answers[key]
        elif answer == ("products_unavailable",):
            assert fate != "answered"
        else:
            assert answer[0] in ("confirmed", "out_of_stock", "order_expired")
            self.answers[key] = answer

    @precondition(lambda self: self.products.late)
    @rule()
    def arrive(self) -> None:
        self.products.hold(*self.products.late.pop(0))

    @rule(fate=FATES)
    def recover(self, fate: str) -> None:
        self.products.fate = fate
        self.let_time_pass()
        for order in recovery.due_orders():
            recovery.recover(order, self.products)  # type: ignore[arg-type]

    @invariant()
    def what_is_confirmed_is_held(self) -> None:
        confirmed = Order.objects.filter(status="confirmed").values_list("reservation_id", "quantity")
        assert dict(confirmed).items() <= self.products.held.items()
        assert self.products.left + sum(self.products.held.values()) == STOCK
        assert self.products.left >= 0

    def let_time_pass(self) -> None:
        Order.objects.exclude(recover_after=None).update(recover_after=timezone.now() - timedelta(seconds=1))

    def teardown(self) -> None:
        while self.products.late:
            self.arrive()
        self.recover("answered")

        assert not Order.objects.filter(recover_after__isnull=False).exists()
        assert not Order.objects.filter(status="pending").exists()
        confirmed = Order.objects.filter(status="confirmed").values_list("reservation_id", "quantity")
        assert dict(confirmed) == self.products.held


@pytest.mark.django_db
def test_orders_do_what_their_model_does() -> None:
    with override_settings(CONFIG=OrdersConfig()):
        run_state_machine_as_test(OrderMachine, settings=BOUNDS)
