"""The pact of products with orders: the event of a confirmed order, and how products counts it."""

from __future__ import annotations

import pytest
from pact import match

from events.cloudevents import CONTENT_TYPE, parse_event
from events.inbox.handler import handle_event
from events.payloads import OrderConfirmed
from ops.tests.pacts import assert_committed, pact_between
from products_project.products.services.catalogue import built_in_products, seed_products
from products_project.products.services.sales import units_sold

UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"


@pytest.mark.django_db
def test_products_counts_the_event_of_its_pact() -> None:
    seed_products(rows=built_in_products())
    pact = pact_between("products-service", "orders-service")
    expected = {
        "specversion": "1.0",
        "id": match.regex("5f0c3a52-6a53-4b0e-9a9e-2c1d4d6a8f10", regex=UUID),
        "source": "/orders-service",
        "type": OrderConfirmed.type,
        "data": {
            "orderId": match.int(42),
            "productId": match.int(1),
            "quantity": match.int(2),
            "confirmedAt": match.regex("2026-11-20T09:30:00.123456Z", regex=MOMENT),
        },
    }
    pact.upon_receiving("a confirmed order", "Async").given("an order was confirmed").with_body(expected, CONTENT_TYPE)

    def receive(body: str | bytes | None, metadata: dict[str, object]) -> None:
        assert handle_event(parse_event(str(body).encode())) == "applied"

    pact.verify(receive, "Async")

    assert units_sold(1) == 2
    assert_committed(pact)
