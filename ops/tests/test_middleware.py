"""One pass over each request: probes for any Host, a request id, one log line, one observation."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client import REGISTRY
from rest_framework.test import APIClient
from structlog.contextvars import bind_contextvars, merge_contextvars
from structlog.testing import capture_logs

from ops.server import middleware
from ops.telemetry import metrics
from ops.telemetry.request_context import add_request
from ops.tests.problem_shape import assert_problem

pytestmark = pytest.mark.urls("ops.tests.contract_urls")

MADE = re.compile(r"[0-9a-f]{32}")


def counted(**labels: Any) -> float:
    return REGISTRY.get_sample_value("http_requests_total", {name: str(value) for name, value in labels.items()}) or 0


@pytest.mark.parametrize("given", ["a", "0123456789", "A.b_c~d:e/f+g=h@i-j", "x" * 128])
def test_a_well_formed_request_id_is_taken_and_returned(client: APIClient, given: str) -> None:
    answer = client.get("/nowhere", headers={"x-request-id": given})

    assert answer.headers["X-Request-ID"] == given
    assert assert_problem(answer, 404, "not_found")["requestId"] == given


@pytest.mark.parametrize("given", ["", " ", "-a", "a b", "a\n", "a\r\nX: y", "é", "٣", "a;b", '"a"', "<a>", "x" * 129])
def test_any_other_request_id_is_replaced(client: APIClient, given: str) -> None:
    answer = client.get("/nowhere", HTTP_X_REQUEST_ID=given)

    assert MADE.fullmatch(answer.headers["X-Request-ID"])


def test_each_request_gets_an_id_of_its_own(client: APIClient) -> None:
    assert client.get("/nowhere").headers["X-Request-ID"] != client.get("/nowhere").headers["X-Request-ID"]


def test_what_an_earlier_request_left_in_the_context_is_gone(client: APIClient) -> None:
    bind_contextvars(leftover="secret")

    with capture_logs(processors=[merge_contextvars]) as lines:
        client.get("/nowhere")

    assert "leftover" not in lines[0]


def test_a_request_is_one_log_line(client: APIClient) -> None:
    with capture_logs(processors=[merge_contextvars, add_request]) as lines:
        client.get("/raise/http404?token=secret", REMOTE_ADDR="192.0.2.7", headers={"x-request-id": "r1"})

    (line,) = lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request.finished",
        "log_level": "warning",
        "request_id": "r1",
        "method": "GET",
        "route": "/raise/<str:name>",
        "path": "/raise/http404",
        "status": 400,
        "code": "validation_error",  # of the parameter, which is not repeated
        "client": "192.0.2.7",
    }


@pytest.mark.parametrize(
    ("path", "host", "status", "code"),
    [
        ("/nowhere", "testserver", 404, "not_found"),
        ("/nowhere", "elsewhere.example", 400, "bad_request"),
        ("/raise/unforeseen", "testserver", 500, "internal_error"),
    ],
)
def test_the_log_line_has_the_status_and_code_of_the_answer(
    client: APIClient, path: str, host: str, status: int, code: str
) -> None:
    with capture_logs(processors=[merge_contextvars]) as lines:
        answer = client.get(path, headers={"host": host})

    assert_problem(answer, status, code)
    assert [(line["status"], line["code"]) for line in lines] == [(status, code)]


def test_a_long_path_is_cut_in_the_log(client: APIClient) -> None:
    with capture_logs() as lines:
        client.get("/" + "a" * 5_000)

    assert len(lines[0]["path"]) == middleware.LONGEST_PATH


def test_a_request_is_counted_by_its_route_and_never_by_its_path(client: APIClient) -> None:
    known = {"method": "GET", "route": "/raise/<str:name>", "status": 404}
    unknown = {"method": "other", "route": metrics.UNMATCHED, "status": 404}
    before = counted(**known), counted(**unknown)

    client.get("/raise/http404")
    client.generic("EVIL", "/nowhere/at/all")

    assert (counted(**known), counted(**unknown)) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_a_probe_is_answered_for_any_host_without_a_log_line(client: APIClient, path: str, method: str) -> None:
    with capture_logs() as lines:
        answer = client.generic(method, path, headers={"host": "10.0.0.7:8000"})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert lines == []


def test_healthz_says_ok_and_how_long_that_is(client: APIClient) -> None:
    answer = client.get("/healthz")

    assert (answer.content, answer.headers["Content-Length"]) == (b"OK", "2")
    assert answer.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "EVIL"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_answers_no_other_method(client: APIClient, path: str, method: str) -> None:
    answer = client.generic(method, path)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/healthz/", "/healthz/x", "/x/healthz", "/Healthz"])
def test_only_the_very_path_is_a_probe(client: APIClient, path: str) -> None:
    assert_problem(client.get(path), 404, "not_found")


def test_a_probe_that_breaks_is_logged(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setitem(middleware.PROBES, "/healthz", broken)
    with capture_logs() as lines:
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert [(line["event"], line["path"]) for line in lines] == [("probe.failed", "/healthz")]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text; version=x", "text/plain; version=0.0.4"),
        ("text/plain; version=é", "text/plain; version=0.0.4"),
        (";;,,=", "text/plain; version=0.0.4"),
    ],
)
def test_metrics_come_in_the_format_that_is_asked_for(client: APIClient, accept: str, content_type: str) -> None:
    answer = client.get("/metrics", HTTP_ACCEPT=accept)

    assert answer.headers["Content-Type"].startswith(content_type)
    assert b"argos_build_info{" in answer.content
