"""An order belongs to the `sub` of the token that placed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from ops.identity.public_keys import public_keys
from ops.tests.clients import anonymous, staff
from ops.tests.issuer import NAME, Issuer
from ops.tests.problem_shape import assert_problem
from orders_project.orders.models import Order
from orders_project.orders.tests.products_peer import products_peer

pytestmark = pytest.mark.django_db(transaction=True)

ClientOf = Callable[..., APIClient]
PLACE_AND_READ = "orders:write orders:read:own"
KEY = {"Idempotency-Key": "8e03978e"}


@pytest.fixture
def client_of(settings: Any, tmp_path: Path) -> Iterator[ClientOf]:
    """Return a function that makes the client of a `sub` with these scopes."""
    issuer, keys = Issuer("orders-service"), tmp_path / "keys.json"
    keys.write_text(issuer.key_set())
    settings.CONFIG = settings.CONFIG.model_copy(update={"jwt_issuer": NAME, "jwt_keys": str(keys)})
    public_keys.cache_clear()

    def make(subject: str, scope: str = PLACE_AND_READ) -> APIClient:
        client = anonymous()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {issuer.token(sub=subject, scope=scope)}")
        return client

    with products_peer():
        yield make
    public_keys.cache_clear()


def place(client: APIClient, quantity: int = 2, **headers: str) -> Any:
    return client.post("/orders", {"productId": 1, "quantity": quantity}, headers=headers)


def ids(client: APIClient) -> list[int]:
    return [order["id"] for order in client.get("/orders").json()["results"]]


def test_its_owner_reads_the_order_that_the_location_names(client_of: ClientOf) -> None:
    placed = place(client_of("anne"))

    assert placed.status_code == 201
    assert Order.objects.get().owner == "anne"
    assert client_of("anne").get(placed.headers["Location"]).json() == placed.json()


def test_other_clients_do_not_find_it(client_of: ClientOf) -> None:
    location = place(client_of("anne")).headers["Location"]

    assert_problem(client_of("bob").get(location), 404, "not_found")
    assert_problem(anonymous().get(location), 401, "not_authenticated")
    assert_problem(client_of("anne", "orders:write").get(location), 403, "insufficient_scope")


def test_each_client_lists_its_own_and_some_list_all(client_of: ClientOf) -> None:
    anne, bob, unowned = (place(client).json()["id"] for client in (client_of("anne"), client_of("bob"), anonymous()))

    assert (ids(client_of("anne")), ids(client_of("bob")), ids(client_of("carol"))) == ([anne], [bob], [])
    every = [anne, bob, unowned]
    auditors = (staff(), client_of("auditor", "orders:read"), client_of("auditor", f"orders:read {PLACE_AND_READ}"))
    assert [ids(client) for client in auditors] == [every] * 3


def test_a_key_is_the_owners_own(client_of: ClientOf) -> None:
    clients = [client_of("anne"), client_of("bob"), anonymous()]

    placed = [place(client, quantity, **KEY) for quantity, client in enumerate(clients, 1)]
    again = [place(client, quantity, **KEY) for quantity, client in enumerate(clients, 1)]

    assert [answer.status_code for answer in placed] == [201] * 3
    assert len({answer.json()["id"] for answer in placed}) == 3
    assert ["Idempotency-Replayed" in answer for answer in placed] == [False] * 3
    assert [answer.json() for answer in again] == [answer.json() for answer in placed]
    assert [answer.headers["Idempotency-Replayed"] for answer in again] == ["true"] * 3
    assert_problem(place(clients[0], 9, **KEY), 422, "idempotency_key_reused")


def test_without_the_scope_or_with_a_wrong_token_nothing_is_placed(client_of: ClientOf) -> None:
    assert_problem(place(client_of("anne", "orders:read")), 403, "insufficient_scope")
    assert_problem(place(anonymous(), authorization="Bearer forged"), 401, "invalid_token")
    assert_problem(place(anonymous(), authorization="Bearer\tforged"), 401, "invalid_token")
    for credential in ("Basic c2hvcDpzaG9w", ""):
        assert_problem(place(anonymous(), authorization=credential), 401, "not_authenticated")
    assert not Order.objects.exists()


def test_where_no_order_is_anonymous_a_token_or_staff_is_needed(client_of: ClientOf, settings: Any) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"orders_anonymous": False})

    assert_problem(place(anonymous()), 401, "not_authenticated")
    assert place(client_of("anne")).status_code == 201
    assert place(staff()).status_code == 201
    security = anonymous().get("/openapi.json").json()["paths"]["/orders"]["post"]["security"]
    assert security == [{"accessToken": ["orders:write"]}, {"cookieAuth": []}]
