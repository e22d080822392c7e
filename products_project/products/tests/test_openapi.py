"""The document lists all answers of products."""

from __future__ import annotations

import json

import pytest
from openapi_spec_validator import validate

from events.cloudevents import CONTENT_TYPE as CLOUDEVENT
from events.cloudevents import TEXT
from ops.api.fields import NO_NUL
from ops.tests.clients import anonymous
from ops.tests.every_route import service
from ops.tests.problem_shape import assert_problem

TEXTS = ("id", "source", "type", "subject")
EVENT = {"specversion": "1.0", "id": "1", "source": "/test", "type": "test", "data": {}}
BODY = {"400", "406", "408", "413", "415", "500", "503"}


def test_it_is_valid_and_names_every_operation_and_answer() -> None:
    document = anonymous().get("/openapi.json").json()

    validate(document)
    found = {
        (method, path): (operation["operationId"], operation["tags"], set(operation["responses"]))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    conditional = {"304", "412"}
    one, reservation = "/products/{product_id}", "/reservations/{reservation_id}"
    assert found == {
        ("get", "/products"): (
            "products_list",
            ["products"],
            {"200", "400", "401", "403", "406", "500", "503"} | conditional,
        ),
        ("post", "/products"): ("products_create", ["products"], {"201", "401", "403"} | BODY),
        ("get", one): (
            "products_retrieve",
            ["products"],
            {"200", "400", "401", "403", "404", "406", "500", "503"} | conditional,
        ),
        ("put", one): ("products_update", ["products"], {"200", "401", "403", "404", "412"} | BODY),
        ("patch", one): ("products_partial_update", ["products"], {"200", "401", "403", "404", "412"} | BODY),
        ("get", f"{one}/stats"): (
            "products_stats",
            ["products"],
            {"200", "400", "401", "403", "404", "406", "500", "503"},
        ),
        ("post", "/events"): ("events_take", ["events"], {"204", "401", "403"} | BODY),
        ("delete", one): (
            "products_destroy",
            ["products"],
            {"204", "400", "401", "403", "404", "406", "412", "500", "503"},
        ),
        ("get", reservation): (
            "reservations_retrieve",
            ["reservations"],
            {"200", "400", "401", "403", "404", "406", "500", "503"},
        ),
        ("put", reservation): (
            "reservations_update",
            ["reservations"],
            {"200", "201", "401", "403", "404", "409", "422"} | BODY,
        ),
        ("delete", reservation): (
            "reservations_destroy",
            ["reservations"],
            {"204", "400", "401", "403", "404", "406", "500", "503"},
        ),
    }


def test_the_product_is_exact_and_exemplified() -> None:
    document = anonymous().get("/openapi.json").json()

    product = document["components"]["schemas"]["Product"]
    assert (set(product["properties"]), sorted(product["required"])) == ({"id", "name"}, ["id", "name"])
    name = document["components"]["schemas"]["ProductRequest"]["properties"]["name"]
    assert name == {"type": "string", "minLength": 1, "maxLength": 200, "pattern": NO_NUL}
    shown = document["paths"]["/products/{product_id}"]["get"]["responses"]["200"]["content"]["application/json"]
    assert [example["value"] for example in shown["examples"].values()] == [{"id": 1, "name": "Quantum Laptop"}]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_writes_are_documented_as_for_staff_and_for_a_scope(method: str) -> None:
    document = anonymous().get("/openapi.json").json()

    operation = document["paths"]["/products" if method == "post" else "/products/{product_id}"][method]
    assert operation["security"] == [{"accessToken": ["products:write"]}, {"cookieAuth": []}]
    assert operation["description"] == "For staff, and for tokens with `products:write`."


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_reservations_are_documented_as_for_services(method: str) -> None:
    document = anonymous().get("/openapi.json").json()

    operation = document["paths"]["/reservations/{reservation_id}"][method]
    assert operation["security"] == [{"serviceToken": []}]
    assert operation["description"].startswith("For services: needs a service's token.")


def test_the_texts_of_an_event_have_the_limits_of_the_server() -> None:
    event = anonymous().get("/openapi.json").json()["components"]["schemas"]["EventRequest"]["properties"]

    texts = {(event[name]["minLength"], event[name]["maxLength"], event[name]["pattern"]) for name in TEXTS}
    assert texts == {(1, 255, TEXT)}


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "x" * 256, "\u001f", "\u007f", "\u0085", "\ud800"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_an_event_that_the_document_forbids_is_refused(name: str, text: str) -> None:
    taken, refused = (
        service().generic("POST", "/events", json.dumps(EVENT | {name: value}), CLOUDEVENT)
        for value in ("é\u00a0", text)
    )

    assert taken.status_code == 204
    assert_problem(refused, 400, "event_invalid")


def test_the_header_of_tracked_stock_is_documented() -> None:
    document = anonymous().get("/openapi.json").json()

    headers = document["paths"]["/products/{product_id}"]["get"]["responses"]["200"]["headers"]
    assert headers["Argos-Stock"]["schema"] == {"type": "string", "enum": ["tracked"]}


def test_what_is_left_of_a_product_is_documented() -> None:
    document = anonymous().get("/openapi.json").json()

    refusal = document["paths"]["/reservations/{reservation_id}"]["put"]["responses"]["409"]
    _, own = refusal["content"]["application/problem+json"]["schema"]["allOf"]
    assert own["properties"]["code"]["enum"] == ["out_of_stock", "reservation_cancelled"]
    assert own["properties"]["available"]["type"] == "integer"


def test_tags_and_preconditions_are_documented() -> None:
    one = anonymous().get("/openapi.json").json()["paths"]["/products/{product_id}"]

    assert {"ETag", "Cache-Control"} <= set(one["get"]["responses"]["304"]["headers"])
    named = {
        method: {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
        for method, operation in one.items()
    }
    assert named == dict.fromkeys(("get", "put", "patch", "delete"), frozenset({"If-Match", "If-None-Match"}))
