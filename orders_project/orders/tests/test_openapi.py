"""The document lists all answers of orders."""

from __future__ import annotations

from openapi_spec_validator import validate

from ops.tests.clients import anonymous
from orders_project.orders.models import MAX_ID, MAX_QUANTITY


def test_it_is_valid_and_names_every_operation_and_answer() -> None:
    document = anonymous().get("/openapi.json").json()

    validate(document)
    found = {
        (method, path): (operation["operationId"], operation["tags"], set(operation["responses"]))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found == {
        ("get", "/orders"): ("orders_list", ["orders"], {"200", "400", "401", "403", "406", "500", "503"}),
        ("post", "/orders"): (
            "orders_create",
            ["orders"],
            {"201", "400", "401", "403", "406", "408", "409", "413", "415", "422", "500", "503"},
        ),
        ("get", "/orders/{order_id}"): (
            "orders_retrieve",
            ["orders"],
            {"200", "400", "401", "403", "404", "406", "500", "503"},
        ),
    }


def test_what_an_order_needs_shows_with_its_limits() -> None:
    document = anonymous().get("/openapi.json").json()

    needed = document["components"]["schemas"]["OrderRequest"]
    assert needed["required"] == ["productId", "quantity"]
    assert needed["properties"] == {
        "productId": {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID},
        "quantity": {"type": "integer", "minimum": 1, "maximum": MAX_QUANTITY},
    }


def test_the_answers_to_an_order_are_exact_and_exemplified() -> None:
    document = anonymous().get("/openapi.json").json()

    operation = document["paths"]["/orders"]["post"]
    assert operation["security"] == [{"accessToken": ["orders:write"]}, {}]
    assert "product_does_not_exist" in operation["responses"]["400"]["description"]
    assert "products_unavailable" in operation["responses"]["500"]["description"]
    assert {"Location", "Idempotency-Replayed", "X-Request-ID"} == set(operation["responses"]["201"]["headers"])
    assert {"Idempotency-Replayed", "Retry-After", "X-Request-ID"} == set(operation["responses"]["409"]["headers"])
    _, own = operation["responses"]["409"]["content"]["application/problem+json"]["schema"]["allOf"]
    assert own["properties"]["available"]["type"] == "integer"
    for status, codes in {
        "400": ("idempotency_key_invalid",),
        "409": ("out_of_stock", "order_expired", "request_in_progress"),
        "422": ("idempotency_key_reused",),
    }.items():
        assert all(code in operation["responses"][status]["description"] for code in codes)
    order = document["components"]["schemas"]["Order"]
    assert set(order["properties"]) == set(order["required"]) == {"id", "productId", "quantity", "status", "createdAt"}
    (asked,) = operation["requestBody"]["content"]["application/json"]["examples"].values()
    assert asked["value"] == {"productId": 1, "quantity": 2}
    (shown,) = operation["responses"]["201"]["content"]["application/json"]["examples"].values()
    assert set(shown["value"]) == set(order["properties"])
