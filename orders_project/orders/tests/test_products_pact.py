"""The pact of orders with products: each answer of products that orders needs, and what orders makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from pact import match

from ops.tests.pacts import assert_committed, pact_between
from orders_project.orders.errors import ProductDoesNotExist
from orders_project.orders.models import MAX_QUANTITY
from orders_project.orders.products_client import Product, ProductsClient, Reservation

JSON, PROBLEM = "application/json", "application/problem+json"
UNTRACKED, TRACKED, UNKNOWN = 1, 2, 999_999
NOT_FOUND = {"code": "not_found"}


def key(number: int) -> UUID:
    """Return the id of one reservation: the mock server knows an expectation by its path."""
    return UUID(int=number, version=4)


@dataclass(frozen=True)
class Expectation:
    """A request of orders in a state of products, its answer, and the outcome in orders."""

    description: str
    state: str
    method: str
    path: str
    status: int
    call: Callable[[ProductsClient], object]
    outcome: object
    answer: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # the parameters of the state


def product(description: str, product_id: int, headers: dict[str, str]) -> Expectation:
    return Expectation(
        description,
        "the product is on sale",
        "GET",
        f"/products/{product_id}",
        200,
        lambda products: products.fetch_product(product_id),
        Product(product_id, "A name", is_tracked=bool(headers)),
        {"id": product_id, "name": match.str("A name")},
        headers,
        facts={"product_id": product_id},
    )


def reserving(
    number: int, description: str, state: str, *, product_id: int = TRACKED, quantity: int = 2, **answer: Any
) -> Expectation:
    return Expectation(
        description,
        state,
        "PUT",
        f"/reservations/{key(number)}",
        call=lambda products: products.reserve(key(number), product_id=product_id, quantity=quantity),
        body={"productId": product_id, "quantity": quantity},
        facts={"id": str(key(number)), "product_id": product_id},
        **answer,
    )


def finding(number: int, description: str, state: str, **answer: Any) -> Expectation:
    return Expectation(
        description,
        state,
        "GET",
        f"/reservations/{key(number)}",
        call=lambda products: products.find_reservation(key(number), product_id=TRACKED, quantity=2),
        facts={"id": str(key(number)), "product_id": TRACKED},
        **answer,
    )


def held(number: int) -> dict[str, Any]:
    return {"id": str(key(number)), "productId": TRACKED, "quantity": 2, "status": "held"}


def outcome_of(expected: Expectation, products: ProductsClient) -> object:
    try:
        return expected.call(products)
    except ProductDoesNotExist as error:
        return type(error)


EXPECTATIONS = [
    product("a product whose stock is not counted", UNTRACKED, {}),
    product("a product whose stock is counted", TRACKED, {"Argos-Stock": "tracked"}),
    Expectation(
        "a product that does not exist",
        "the product does not exist",
        "GET",
        f"/products/{UNKNOWN}",
        404,
        lambda products: products.fetch_product(UNKNOWN),
        ProductDoesNotExist,
        NOT_FOUND,
        facts={"product_id": UNKNOWN},
    ),
    reserving(1, "a first reservation", "the stock suffices", status=201, outcome=Reservation("held"), answer=held(1)),
    reserving(
        2,
        "the same reservation again",
        "the reservation is held",
        status=200,
        outcome=Reservation("held"),
        answer=held(2),
    ),
    reserving(
        3,
        "a reservation without enough stock",
        "the stock does not suffice",
        quantity=MAX_QUANTITY,
        status=409,
        outcome=Reservation("out_of_stock", 1),
        answer={"code": "out_of_stock", "available": match.int(1)},
    ),
    reserving(
        4,
        "a reservation under a released id",
        "the reservation is cancelled",
        status=409,
        outcome=Reservation("cancelled"),
        answer={"code": "reservation_cancelled"},
    ),
    reserving(
        5,
        "a reservation under the id of another one",
        "the reservation has another quantity",
        status=422,
        outcome=Reservation("foreign"),
        answer={"code": "reservation_reused"},
    ),
    reserving(
        6,
        "a reservation of a product that does not exist",
        "the product does not exist",
        product_id=UNKNOWN,
        status=404,
        outcome=Reservation("unknown"),
        answer=NOT_FOUND,
    ),
    finding(
        7,
        "a question about a held reservation",
        "the reservation is held",
        status=200,
        outcome=Reservation("held"),
        answer=held(7),
    ),
    finding(
        8,
        "a question about a cancelled reservation",
        "the reservation is cancelled",
        status=200,
        outcome=Reservation("cancelled"),
        answer={"id": str(key(8)), "status": "cancelled"},
    ),
    finding(
        9,
        "a question about an unknown reservation",
        "the reservation does not exist",
        status=404,
        outcome=Reservation("unknown"),
        answer=NOT_FOUND,
    ),
    Expectation(
        "the release of a reservation",
        "the reservation is held",
        "DELETE",
        f"/reservations/{key(10)}",
        204,
        lambda products: products.release(key(10)),
        None,
        facts={"id": str(key(10)), "product_id": TRACKED},
    ),
]


def test_orders_understands_each_answer_of_its_pact() -> None:
    pact = pact_between("orders-service", "products-service")
    for expected in EXPECTATIONS:
        interaction = pact.upon_receiving(expected.description).given(expected.state, expected.facts)
        interaction.with_request(expected.method, expected.path)
        if expected.path.startswith("/reservations/"):
            interaction.with_header("Authorization", match.regex("Bearer token", regex="^Bearer .+$"))
        if expected.body is not None:
            interaction.with_body(expected.body, JSON)
        interaction.will_respond_with(expected.status)
        for name, value in expected.headers.items():
            interaction.with_header(name, value)
        if expected.answer:
            interaction.with_body(expected.answer, JSON if expected.status < 400 else PROBLEM)

    with pact.serve() as server:
        config = settings.CONFIG.model_copy(update={"products_service_url": str(server.url)})
        products = ProductsClient.from_config(config)
        outcomes = {expected.description: outcome_of(expected, products) for expected in EXPECTATIONS}

    assert outcomes == {expected.description: expected.outcome for expected in EXPECTATIONS}
    assert_committed(pact)
