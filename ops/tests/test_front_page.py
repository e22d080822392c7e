"""`/` says what answers here: a page to a browser, plain text to curl."""

from __future__ import annotations

import re

import pytest
from rest_framework.test import APIClient

from ops.tests.problem_shape import assert_problem

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
LINKS = ["/docs", "/openapi.json", "/admin/", "/healthz", "/readyz", "/metrics"]


def test_a_browser_gets_a_page_with_links(client: APIClient) -> None:
    answer = client.get("/", headers={"accept": BROWSER})

    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "Accept" in answer["Vary"]
    assert re.findall(r'href="([^"]+)"', answer.content.decode()) == LINKS
    assert "<h1>Plain</h1>" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_every_link_leads_somewhere(client: APIClient) -> None:
    statuses = {path: client.get(path, follow=True).status_code for path in LINKS}

    assert statuses == dict.fromkeys(LINKS, 200)


@pytest.mark.parametrize("accept", ["", "*/*", "application/json"])
def test_other_clients_get_plain_text(client: APIClient, accept: str) -> None:
    answer = client.get("/", headers={"accept": accept})

    first, *lines = answer.content.decode().splitlines()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert first == "Plain: A service for tests."
    assert [line.split()[0] for line in lines if line.startswith("/")] == LINKS
    assert lines[-1] == "plain-service dev"


def test_it_takes_no_other_method_and_unknown_paths_stay_problems(client: APIClient) -> None:
    refused = client.post("/", {})

    assert_problem(refused, 405, "method_not_allowed")
    assert refused["Allow"] == "GET, HEAD"
    assert_problem(client.get("/nothing", headers={"accept": BROWSER}), 404, "not_found")
