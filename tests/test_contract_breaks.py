"""`make check` names each change of the OpenAPI documents that breaks a client of the last release."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract_breaks import SERVICES, breaks, main
from tests.processes import ROOT

Json = dict[str, Any]

BEFORE: Json = {
    "paths": {
        "/things/{id}": {
            "get": {
                "parameters": [
                    {"in": "path", "name": "id", "required": True, "schema": {"type": "integer", "maximum": 9}},
                    {"in": "query", "name": "sort", "schema": {"type": "string", "enum": ["name", "size"]}},
                ],
                "responses": {
                    "200": {
                        "headers": {"ETag": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "404": {},
                },
            },
            "put": {
                "security": [{"token": []}, {"cookie": []}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wanted"}}}},
                "responses": {"204": {}},
            },
        },
        "/old": {},
    },
    "components": {
        "schemas": {
            "Thing": {
                "allOf": [
                    {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
                    {"properties": {"state": {"type": "string", "enum": ["new", "used"]}, "at": {"format": "date"}}},
                    {"properties": {"parts": {"type": "array", "items": {"type": "object", "properties": {"n": {}}}}}},
                ]
            },
            "Wanted": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": ["string", "null"], "maxLength": 9}, "size": {"type": "number"}},
            },
        }
    },
}


def schemas(document: Json) -> Json:
    found: Json = document["components"]["schemas"]
    return found


def wanted(document: Json) -> Json:
    found: Json = schemas(document)["Wanted"]["properties"]
    return found


def thing(document: Json, part: int) -> Json:
    found: Json = schemas(document)["Thing"]["allOf"][part]
    return found


def get(document: Json) -> Json:
    found: Json = document["paths"]["/things/{id}"]["get"]
    return found


def put(document: Json) -> Json:
    found: Json = document["paths"]["/things/{id}"]["put"]
    return found


GET, PUT = "GET /things/{id}", "PUT /things/{id}"
BREAKS: list[tuple[Callable[[Json], object], str]] = [
    (lambda now: now["paths"].pop("/old"), "/old: the path was removed"),
    (lambda now: now["paths"]["/things/{id}"].pop("put"), f"{PUT}: the operation was removed"),
    (lambda now: put(now)["security"].pop(), f"{PUT}: the credential cookie is not accepted any more"),
    (lambda now: get(now).update(security=[{"token": []}]), f"{GET}: the credential none is not accepted any more"),
    (lambda now: get(now)["parameters"].pop(), f"{GET}, query parameter sort: it was removed"),
    (lambda now: get(now)["parameters"][1].update(required=True), f"{GET}, query parameter sort: it is required now"),
    (
        lambda now: get(now)["parameters"][1]["schema"]["enum"].remove("size"),
        f'{GET}, query parameter sort: the value "size" was removed',
    ),
    (
        lambda now: get(now)["parameters"][0]["schema"].update(maximum=8),
        f"{GET}, path parameter id: maximum changed from 9 to 8",
    ),
    (lambda now: get(now)["responses"].pop("404"), f"{GET}, 404: the status was removed"),
    (lambda now: get(now)["responses"]["200"].pop("headers"), f"{GET}, 200: the header ETag was removed"),
    (
        lambda now: get(now)["responses"]["200"].pop("content"),
        f"{GET}, 200: the media type application/json was removed",
    ),
    (lambda now: thing(now, 0)["properties"].pop("id"), f"{GET}, 200, id: the member was removed"),
    (
        lambda now: thing(now, 2)["properties"]["parts"]["items"]["properties"].pop("n"),
        f"{GET}, 200, parts[], n: the member was removed",
    ),
    (lambda now: thing(now, 0)["required"].remove("id"), f"{GET}, 200, id: the member is optional now"),
    (
        lambda now: thing(now, 0)["properties"]["id"].update(type=["integer", "null"]),
        f'{GET}, 200, id: the type changed from "integer" to ["integer", "null"]',
    ),
    (
        lambda now: thing(now, 1)["properties"]["state"]["enum"].remove("new"),
        f'{GET}, 200, state: the value "new" was removed',
    ),
    (
        lambda now: thing(now, 1)["properties"]["at"].update(format="date-time"),
        f'{GET}, 200, at: format changed from "date" to "date-time"',
    ),
    (lambda now: put(now)["requestBody"].update(required=True), f"{PUT}, body: it is required now"),
    (lambda now: wanted(now).pop("size"), f"{PUT}, body, size: the member was removed"),
    (lambda now: schemas(now)["Wanted"]["required"].append("size"), f"{PUT}, body, size: the member is required now"),
    (
        lambda now: wanted(now)["size"].update(type="integer"),
        f'{PUT}, body, size: the type changed from "number" to "integer"',
    ),
    (
        lambda now: wanted(now)["name"].update(minLength=1),
        f"{PUT}, body, name: minLength changed from unset to 1",
    ),
    (
        lambda now: wanted(now)["name"].update(enum=["a"]),
        f'{PUT}, body, name: only ["a"] is accepted now',
    ),
    (
        lambda now: wanted(now)["name"].update(pattern="^a$"),
        f'{PUT}, body, name: pattern changed from unset to "^a$"',
    ),
    (
        lambda now: schemas(now)["Wanted"].update(additionalProperties=False),
        f"{PUT}, body: additionalProperties changed from unset to false",
    ),
]


@pytest.mark.parametrize(("change", "line"), BREAKS, ids=[line for _, line in BREAKS])
def test_a_break_is_named(change: Callable[[Json], object], line: str) -> None:
    after = copy.deepcopy(BEFORE)
    change(after)

    assert list(breaks(BEFORE, after)) == [line]


def test_additions_and_wider_values_are_not_breaks() -> None:
    after = copy.deepcopy(BEFORE)
    after["paths"]["/new"] = {"get": {}}
    get(after)["parameters"].append({"in": "query", "name": "page", "schema": {"type": "integer"}})
    get(after)["responses"]["503"] = {}
    thing(after, 0)["properties"]["owner"] = {"type": "string"}
    thing(after, 1)["properties"]["state"]["enum"].append("lost")
    put(after)["security"].append({"key": []})
    wanted(after)["name"] |= {"maxLength": 10}
    wanted(after)["colour"] = {"type": "string"}
    schemas(after)["Wanted"]["required"].remove("name")

    assert list(breaks(BEFORE, after)) == []


def test_a_declared_break_passes_and_a_declaration_without_a_break_fails(tmp_path: Path) -> None:
    (tmp_path / "released").mkdir()
    for service in SERVICES:
        (tmp_path / f"{service}.json").write_text(json.dumps(BEFORE))
        (tmp_path / "released" / f"{service}.json").write_text(json.dumps(BEFORE))
    without = copy.deepcopy(BEFORE)
    del without["paths"]["/old"]
    (tmp_path / "orders.json").write_text(json.dumps(without))
    line = "/old: the path was removed"

    def outcome(declared: str) -> object:
        (tmp_path / "breaks.toml").write_text(declared)
        with pytest.raises(SystemExit) as ended:
            main(tmp_path)
        return ended.value.code

    assert outcome(f'[orders]\n"{line}" = "Its last client is gone."') == 0
    assert str(outcome("")).startswith(f"orders: {line}\n")
    assert "breaks.toml: orders gives no reason" in str(outcome(f'[orders]\n"{line}" = ""'))
    assert "breaks.toml: products has no such break" in str(outcome(f'[products]\n"{line}" = "x"'))


def test_the_documents_are_current() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "document-openapi", "--check"], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
