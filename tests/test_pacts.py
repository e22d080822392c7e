"""The running products does what the pact of orders expects of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pact import Verifier

from ops.tests.pacts import pact_file
from ops.tests.service_tokens import bearer
from tests.processes import Service, database, manage, prepared_database, stop_all


@pytest.fixture
def products(tmp_path: Path) -> Iterator[Service]:
    """Yield products with some stock of product 2."""
    with database(tmp_path, "products", like=prepared_database("products_project")) as url:
        service = Service("products_project", tmp_path, {"DATABASE_URL": url})
        stocked = manage("products_project", "set_stock", "2", "100", env=service.env)
        assert stocked.returncode == 0, stocked.stderr
        try:
            yield service.start()
        finally:
            stop_all(service)


def reservation(products: Service, method: str, facts: dict[str, Any], quantity: int = 2) -> None:
    wanted = {"productId": facts["product_id"], "quantity": quantity} if method == "PUT" else None
    url = f"{products.url}/reservations/{facts['id']}"
    requests.request(method, url, json=wanted, headers=bearer("products-service"), timeout=10).raise_for_status()


def prepare(products: Service, state: str, facts: dict[str, Any]) -> None:
    """Bring about a state of the pact; each reservation has an id of its own, so all states hold together."""
    match state:
        case "the reservation is held":
            reservation(products, "PUT", facts)
        case "the reservation has another quantity":
            reservation(products, "PUT", facts, quantity=3)
        case "the reservation is cancelled":
            reservation(products, "PUT", facts)
            reservation(products, "DELETE", facts)
        case "the product is on sale" | "the stock suffices" | "the stock does not suffice":
            pass  # as the fixture has left them
        case "the product does not exist" | "the reservation does not exist":
            pass
        case _:
            raise AssertionError(f"the pact has a state that this test does not know: {state}")


def test_products_keeps_the_pact_of_orders(products: Service, tmp_path: Path) -> None:
    committed = pact_file("orders-service", "products-service")
    pact = json.loads(committed.read_text("utf-8"))
    for interaction in pact["interactions"]:
        for state in interaction["providerStates"]:
            prepare(products, state["name"], state["params"])
        headers = interaction["request"].get("headers", {})
        headers |= {name: [value] for name, value in bearer("products-service").items() if name in headers}
    with_token = tmp_path / committed.name
    with_token.write_text(json.dumps(pact), "utf-8")

    verifier = Verifier("products-service", host="127.0.0.1").add_transport(url=products.url)
    verifier.add_source(with_token).set_coloured_output(enabled=False)

    verifier.verify()
