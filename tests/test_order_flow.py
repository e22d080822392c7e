"""One order through both services: the main promise."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.processes import running_stack


def test_an_order_of_a_product_that_exists_is_stored_and_acknowledged(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        answer = stack.place_order(product_id=1, quantity=2)

        assert answer.status_code == 201
        order = answer.json()
        assert order == {
            "id": order["id"],
            "productId": 1,
            "quantity": 2,
            "status": "confirmed",
            "createdAt": order["createdAt"],
        }
        assert answer.headers["Location"] == f"{stack.orders.url}/orders/{order['id']}"
        assert order["createdAt"].endswith("Z")


def test_both_services_share_nothing_but_http(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        assert requests.get(f"{stack.products.url}/orders", timeout=30).status_code == 404
        assert requests.get(f"{stack.orders.url}/products", timeout=30).status_code == 404
