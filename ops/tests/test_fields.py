"""Fields accept exactly the types of the contract."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from ops.tests.problem_shape import assert_problem

pytestmark = pytest.mark.urls("ops.tests.contract_urls")


@pytest.mark.parametrize("number", [1, 9])
def test_an_integer_within_its_limits_is_taken(client: APIClient, number: int) -> None:
    assert client.post("/things", {"number": number, "name": "a"}).json() == {"number": number, "name": "a"}


@pytest.mark.parametrize("number", [0, 10, -1, 2**64, "1", "\uff11", "1_0", 1.0, True, False, None, [1], {"a": 1}, ""])
def test_anything_else_is_no_integer(client: APIClient, number: Any) -> None:
    answer = client.post("/things", {"number": number, "name": "a"})

    assert_problem(answer, 400, "validation_error", fields=["number"])


@pytest.mark.parametrize("name", ["a", "12345", "é", "  a  "])
def test_a_string_within_its_length_is_taken_without_the_blanks_around_it(client: APIClient, name: str) -> None:
    assert client.post("/things", {"number": 1, "name": name}).json()["name"] == name.strip()


@pytest.mark.parametrize("name", ["", "   ", "123456", "a\x00", 0, 1.5, True, None, ["a"], {"a": 1}])
def test_anything_else_is_no_string(client: APIClient, name: Any) -> None:
    answer = client.post("/things", {"number": 1, "name": name})

    assert_problem(answer, 400, "validation_error", fields=["name"])


def test_a_lone_surrogate_is_no_string(client: APIClient) -> None:
    answer = client.post("/things", data=b'{"number": 1, "name": "\\ud800"}', content_type="application/json")

    assert_problem(answer, 400, "validation_error", fields=["name"])


def test_every_field_that_is_wrong_is_named(client: APIClient) -> None:
    assert_problem(client.post("/things", {}), 400, "validation_error", fields=["name", "number"])
