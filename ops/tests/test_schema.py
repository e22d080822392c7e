"""The OpenAPI document is valid and complete, and its page works offline."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import override_settings
from openapi_spec_validator import validate
from rest_framework.test import APIClient

from ops.api.fields import NO_NUL
from ops.tests.problem_shape import assert_problem

pytestmark = pytest.mark.urls("ops.tests.contract_urls")

Document = dict[str, Any]


@pytest.fixture
def document(client: APIClient) -> Document:
    found: Document = client.get("/openapi.json").json()
    return found


def statuses(document: Document, path: str, method: str) -> set[str]:
    return set(document["paths"][path][method]["responses"])


def test_it_is_valid_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)
    assert "nullable" not in str(document)  # a word of 3.0


def test_it_leaves_the_operational_paths_out(document: Document) -> None:
    assert not [path for path in document["paths"] if path.startswith(("/admin", "/docs", "/openapi", "/metrics"))]


def test_an_operation_with_a_body_documents_what_may_be_wrong_with_it(document: Document) -> None:
    assert statuses(document, "/things", "post") == {"200", "400", "403", "406", "408", "413", "415", "500", "503"}


def test_a_list_documents_its_parameters_and_their_limits(document: Document) -> None:
    operation = document["paths"]["/groups"]["get"]

    parameters = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    assert set(parameters) == {"cursor", "page_size", "search"}
    assert parameters["page_size"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert set(operation["responses"]) == {"200", "400", "406", "500", "503"}
    assert "naming the parameter" in operation["responses"]["400"]["description"]


def test_staff_only_is_documented_with_its_own_problems(document: Document) -> None:
    operation = document["paths"]["/groups/{id}"]["get"]

    assert operation["security"] == [{"cookieAuth": []}]
    assert set(operation["responses"]) == {"200", "400", "401", "403", "404", "406", "409", "500", "503"}
    assert operation["responses"]["409"]["description"] == "`out_of_stock`"
    _, own = operation["responses"]["409"]["content"]["application/problem+json"]["schema"]["allOf"]
    assert own["properties"] == {"code": {"type": "string", "enum": ["out_of_stock"]}}


def test_every_error_is_documented_as_a_problem(document: Document) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if status >= "400":
                    problem, own = response["content"]["application/problem+json"]["schema"]["allOf"]
                    assert problem == {"$ref": "#/components/schemas/Problem"}, (path, method, status)
                    assert own["properties"]["code"]["enum"], (path, method, status)


def test_every_response_has_a_description_and_the_id_of_its_request(document: Document) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                assert response["description"]
                assert response["headers"]["X-Request-ID"]["required"]
                assert ("Retry-After" in response["headers"]) == (status == "503")


def test_a_path_for_every_client_has_no_lock(document: Document) -> None:
    assert document["paths"]["/groups"]["get"]["security"] == []
    assert document["paths"]["/groups/{id}"]["get"]["security"] == [{"cookieAuth": []}]


def test_it_has_the_version_of_the_contract_and_names_its_server(document: Document) -> None:
    assert document["info"]["version"] == "1.0.0"
    assert [server["url"] for server in document["servers"]] == ["/"]


def test_texts_are_as_strict_as_the_server(document: Document) -> None:
    parameters = {found["name"]: found["schema"] for found in document["paths"]["/groups"]["get"]["parameters"]}

    assert re.fullmatch(parameters["cursor"]["pattern"], "cD0xMA==")
    assert not re.fullmatch(parameters["cursor"]["pattern"], "p=1")
    assert not re.fullmatch(parameters["search"]["pattern"], "a\0")


def test_the_documented_problem_is_the_one_that_is_sent(client: APIClient, document: Document) -> None:
    sent = assert_problem(client.post("/things", {}), 400, "validation_error")

    schemas = document["components"]["schemas"]
    assert set(schemas["Problem"]["properties"]) == set(sent)
    assert set(schemas["ProblemError"]["required"]) == set(sent["errors"][0])


def test_the_limits_of_integers_show(document: Document) -> None:
    thing = document["components"]["schemas"]["ThingRequest"]

    assert thing["properties"]["number"] == {"type": "integer", "minimum": 1, "maximum": 9}
    assert thing["properties"]["name"] == {"type": "string", "minLength": 1, "maxLength": 5, "pattern": NO_NUL}
    assert sorted(thing["required"]) == ["name", "number"]


def test_nobody_writes_into_the_document(client: APIClient) -> None:
    answer = client.get("/openapi.json?version=k4n4ry&lang=k4n4ry")

    assert "k4n4ry" not in answer.content.decode() + str(answer.headers)


@pytest.mark.parametrize(("path", "accept"), [("/openapi.json", "application/pdf"), ("/docs", "application/pdf")])
def test_a_refused_media_type_is_a_problem(client: APIClient, path: str, accept: str) -> None:
    assert_problem(client.get(path, headers={"accept": accept}), 406, "not_acceptable")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_a_refused_method_is_a_problem(client: APIClient, path: str) -> None:
    assert_problem(client.post(path), 405, "method_not_allowed")


@override_settings(ALLOWED_HOSTS=["testserver"])
def test_the_page_needs_nothing_from_elsewhere(client: APIClient) -> None:
    page = client.get("/docs")

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert len(assets) >= 4
    assert assets.pop() == "docs?script="
    for asset in assets:
        assert asset.startswith("/static/"), asset
        answer = client.get(asset)
        assert answer.status_code == 200, asset
        assert b"".join(answer.streaming_content)  # type: ignore[attr-defined] # whitenoise sends a file
    script = client.get("/docs?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert 'url: "openapi.json"' in script.content.decode()
