"""JSON unless a browser asks, and the same errors in both."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from ops.tests.problem_shape import assert_problem

pytestmark = [pytest.mark.urls("ops.tests.contract_urls"), pytest.mark.django_db]

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/*;q=0.1"])
def test_a_program_gets_json(client: APIClient, accept: str) -> None:
    answer = client.get("/groups", headers={"accept": accept} if accept else {})

    assert answer.headers["Content-Type"] == "application/json"


def test_a_browser_gets_the_browsable_api(client: APIClient) -> None:
    answer = client.get("/groups", headers={"accept": BROWSER})

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"Django REST framework" in answer.content


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/raise/domain", 409, "out_of_stock"),
        ("/raise/nested", 400, "validation_error"),
        ("/groups?cursor=x", 400, "validation_error"),
        ("/groups/1", 401, "not_authenticated"),
    ],
)
def test_a_browser_gets_errors_in_html_too(client: APIClient, path: str, status: int, code: str) -> None:
    answer = client.get(path, headers={"accept": BROWSER})

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"&quot;{code}&quot;" in answer.content.decode()


@pytest.mark.parametrize(
    "accept",
    [
        "application/pdf",
        "text/plain",
        "\xff;;q=;/*",
        "*/*;q=0",
        "*/* ; Q=0.000",
        "application/json;q=0, text/*;q=0",
        "application/*;q=0.0, text/html;q=0, */*",
    ],
)
def test_what_nothing_satisfies_is_not_acceptable(client: APIClient, accept: str) -> None:
    assert_problem(client.get("/groups", headers={"accept": accept}), 406, "not_acceptable")


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("application/json;q=0, */*", "text/html; charset=utf-8"),
        ("text/html;q=0, */*", "application/json"),
        ("*/*;q=0, application/json", "application/json"),
        ("*/*;q=0.5", "application/json"),
        ("text/html;q=0.01, */*;q=0", "text/html; charset=utf-8"),
    ],
)
def test_a_weight_of_zero_refuses_a_media_type(client: APIClient, accept: str, given: str) -> None:
    assert client.get("/groups", headers={"accept": accept}).headers["Content-Type"] == given
