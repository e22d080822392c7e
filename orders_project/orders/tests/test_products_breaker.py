"""orders stops calling a failing products, refuses immediately, and recovers when products is back."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ops.outbound.circuit_breaker import State
from orders_project.orders.tests.scripted_products import (
    Clock,
    ScriptedProducts,
    body,
    no_such_product,
    orders_asking,
    product,
)
from orders_project.orders.tests.test_products_failures import place_order, tries_by_outcome

no_product = body(b"[]")  # fails without a retry, so that one order is one try


def breaker_state() -> float | None:
    return REGISTRY.get_sample_value("circuit_breaker_state", {"peer": "products"})


@pytest.mark.django_db
def test_twenty_failures_open_the_breaker_and_the_next_order_is_answered_at_once() -> None:
    clock = Clock()
    with ScriptedProducts(no_product) as peer, orders_asking(peer.url, clock):
        for _ in range(19):
            place_order()
        assert breaker_state() == State.CLOSED
        place_order()
        assert breaker_state() == State.OPEN
        before, connections = tries_by_outcome(), peer.connections

        clock.now += 2
        for _ in range(10):
            answer = place_order()

        assert (answer.status_code, answer.json()["code"]) == (500, "products_unavailable")
        assert answer["Retry-After"] == "3"  # the rest of 5 s
        assert tries_by_outcome() - before == {"breaker_open": 10}
        assert (peer.tries, peer.connections) == (20, connections)


@pytest.mark.django_db
def test_after_a_while_one_trial_decides() -> None:
    clock = Clock()
    with ScriptedProducts(no_product) as peer, orders_asking(peer.url, clock), capture_logs() as logs:
        for _ in range(20):
            place_order()
        clock.now += 5
        place_order()
        assert (peer.tries, breaker_state()) == (21, State.OPEN)

        peer.script = product
        clock.now += 5
        assert place_order().status_code == 201
        assert (peer.tries, breaker_state()) == (22, State.CLOSED)
        assert place_order().status_code == 201

        changes = [(line["peer"], line["state"]) for line in logs if line["event"] == "circuit_breaker.changed"]
        assert changes == [("products", state) for state in ("open", "half_open", "open", "half_open", "closed")]


@pytest.mark.django_db
def test_products_that_does_not_exist_never_opens_the_breaker() -> None:
    with ScriptedProducts(no_such_product) as peer, orders_asking(peer.url):
        answers = {place_order().status_code for _ in range(40)}

        assert answers == {400}
        assert (peer.tries, breaker_state()) == (40, State.CLOSED)
