"""A request is one log line with its level and its exception once, without facts of the previous request."""

from __future__ import annotations

import pytest
import structlog
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from ops.server import middleware
from ops.server.middleware import RequestMiddleware


def lines(entries: list[structlog.typing.EventDict]) -> list[structlog.typing.EventDict]:
    return [entry for entry in entries if entry["event"] == "request.finished"]


@pytest.mark.parametrize(
    ("method", "path", "status", "level"),
    [
        ("post", "/echo", 200, "info"),
        ("get", "/nothing", 404, "warning"),
        ("get", "/echo", 405, "warning"),
        ("get", "/broken", 500, "error"),
    ],
)
def test_the_status_decides_the_level(client: APIClient, method: str, path: str, status: int, level: str) -> None:
    with capture_logs() as entries:
        answer = getattr(client, method)(path)

    (line,) = lines(entries)
    assert (answer.status_code, line["status"], line["log_level"]) == (status, status, level)
    assert (line["method"], line["path"], line["client"]) == (method.upper(), path, "127.0.0.1")
    assert line["route"] == ("unmatched" if path == "/nothing" else path)
    assert line["duration_ms"] >= 0


def test_a_line_has_no_query_and_no_endless_path(client: APIClient) -> None:
    with capture_logs() as entries:
        client.get(f"/{'x' * 5000}?token=secret")

    (line,) = lines(entries)
    assert len(line["path"]) == middleware.LONGEST_PATH
    assert "secret" not in str(line)


def test_an_unhandled_exception_is_in_its_line_and_nowhere_else(client: APIClient) -> None:
    with capture_logs() as entries:
        answer = client.get("/broken")

    (line,) = entries
    assert isinstance(line["exc_info"], RuntimeError)
    assert line["exc_info"].__traceback__ is not None
    assert answer.json()["code"] == "internal_error"
    assert "broken on purpose" not in answer.content.decode()


class FailingMiddleware:
    """Fail before the view, as sessions do without their database."""

    def __init__(self, get_response: object) -> None:
        pass

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raise DatabaseError("gone")


@override_settings(MIDDLEWARE=["ops.server.middleware.RequestMiddleware", f"{__name__}.FailingMiddleware"])
def test_an_exception_outside_the_view_is_in_the_line_too() -> None:
    with capture_logs() as entries:
        answer = APIClient(raise_request_exception=False).post("/echo")

    (line,) = entries
    assert (answer.status_code, line["status"]) == (500, 500)
    assert isinstance(line["exc_info"], DatabaseError)


def test_a_probe_that_breaks_is_logged(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: HttpRequest) -> HttpResponse:
        raise RuntimeError("broken on purpose")

    monkeypatch.setitem(middleware.PROBES, "/healthz", broken)

    with capture_logs() as entries:
        assert client.get("/healthz").status_code == 500

    (line,) = entries
    assert (line["event"], line["log_level"]) == ("probe.failed", "error")
    assert isinstance(line["exc_info"], RuntimeError)


def test_probes_and_metrics_log_nothing(client: APIClient) -> None:
    with capture_logs() as entries:
        for path in ("/healthz", "/metrics"):
            assert client.get(path).status_code == 200

    assert entries == []


def test_no_context_is_left_over_from_the_request_before() -> None:
    seen: list[dict[str, object]] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(dict(structlog.contextvars.get_contextvars()))
        structlog.contextvars.bind_contextvars(order_id=1, trace_id="a" * 32)
        return HttpResponse()

    answer = RequestMiddleware(view)
    for _ in range(2):
        answer(RequestFactory().get("/echo"))

    assert seen == [{}, {}]
