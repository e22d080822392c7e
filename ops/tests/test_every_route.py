"""No request to the shared paths is a fault of the server's: any method, body and Accept."""

from __future__ import annotations

import pytest

from ops.tests.clients import anonymous
from ops.tests.every_route import METHODS, failures, paths

pytestmark = pytest.mark.django_db


def test_the_paths_are_those_of_the_url_configuration() -> None:
    assert {"/docs", "/openapi.json", "/echo", "/admin/", "/admin/auth/user/x/change/"} <= set(paths())
    assert not [path for path in paths() if set(path) & set("<>()^$|*")]


@pytest.mark.parametrize("method", METHODS)
def test_no_route_answers_with_a_5xx(method: str) -> None:
    assert [found for found in failures(method) if found[0] != "/broken"] == []


def test_options_of_the_documentation_answers_in_json() -> None:
    answer = anonymous().options("/docs")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
