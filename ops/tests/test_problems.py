"""Every error of every source is a problem without internal details."""

from __future__ import annotations

import errno
import json

import pytest
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.test import RequestFactory
from rest_framework.exceptions import NotAuthenticated
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from ops.api import problems
from ops.server.middleware import RequestMiddleware
from ops.tests.problem_shape import assert_problem

pytestmark = pytest.mark.urls("ops.tests.contract_urls")


@pytest.mark.parametrize(
    ("name", "status", "code", "detail"),
    [
        ("domain", 409, "out_of_stock", "Nothing is left of it."),
        ("domain-in-detail", 409, "out_of_stock", "Two are left of it."),
        ("http404", 404, "not_found", "Not found."),
        ("denied", 403, "permission_denied", "You do not have permission to perform this action."),
        ("throttled", 429, "throttled", "Request was throttled."),
        ("unforeseen", 500, "internal_error", "An unexpected error occurred; it was logged under this requestId."),
    ],
)
def test_what_a_view_raises_becomes_a_problem(
    client: APIClient, name: str, status: int, code: str, detail: str
) -> None:
    answer = client.get(f"/raise/{name}")

    assert assert_problem(answer, status, code)["detail"] == detail


def test_a_problem_has_the_members_that_its_error_gives_it(client: APIClient) -> None:
    answer = client.get("/raise/domain-with-members")

    assert assert_problem(answer, 409, "out_of_stock", members=("available",))["available"] == 2


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (404, "Not Found"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
    ],
)
def test_a_title_is_the_name_that_rfc_9110_gives_the_status_whatever_python_calls_it(status: int, title: str) -> None:
    assert problems.problem(status, "code", "detail")["title"] == title


@pytest.mark.parametrize("status", sorted(problems.RENAMED))
def test_the_reason_phrase_is_the_title(status: int) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return problems.problem_response(status, "code", "detail")

    answer = RequestMiddleware(view)(RequestFactory().get("/"))

    assert answer.reason_phrase == json.loads(answer.content)["title"]


def test_validation_errors_carry_the_dotted_path_of_their_field(client: APIClient) -> None:
    answer = client.get("/raise/nested")

    errors = assert_problem(answer, 400, "validation_error")["errors"]
    assert errors == [
        {"field": "lines.quantity", "code": "invalid", "detail": "too many"},
        {"field": "note", "code": "invalid", "detail": "too long"},
    ]


def test_a_validation_error_of_the_whole_says_so(client: APIClient) -> None:
    assert_problem(client.get("/raise/whole"), 400, "validation_error", fields=["non_field_errors"])


@pytest.mark.parametrize(("name", "seconds"), [("domain-in-detail", "2"), ("domain-at-once", "1")])
def test_retry_after_is_in_whole_seconds_and_never_zero(client: APIClient, name: str, seconds: str) -> None:
    assert client.get(f"/raise/{name}").headers["Retry-After"] == seconds


def test_an_error_that_names_no_time_has_no_retry_after(client: APIClient) -> None:
    assert "Retry-After" not in client.get("/raise/domain").headers


def test_an_unhandled_exception_is_in_the_log_and_not_in_the_answer(client: APIClient) -> None:
    with capture_logs() as lines:
        answer = client.get("/raise/unforeseen")

    assert b"secret" not in answer.content
    assert [repr(line["exc_info"]) for line in lines] == ["RuntimeError('secret in the message')"]


def test_an_unrouted_path_is_a_problem(client: APIClient) -> None:
    assert_problem(client.get("/nowhere"), 404, "not_found")


def test_an_unknown_host_is_a_problem(client: APIClient) -> None:
    assert_problem(client.get("/nowhere", headers={"host": "elsewhere.example"}), 400, "bad_request")


def test_a_method_that_a_path_lacks_is_a_problem_that_names_the_others(client: APIClient) -> None:
    answer = client.delete("/things")

    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST, OPTIONS"
    assert "DELETE" not in answer.content.decode()


def test_another_media_type_is_a_problem_that_does_not_repeat_it(client: APIClient) -> None:
    answer = client.post("/things", data="a", content_type="text/odd")

    assert_problem(answer, 415, "unsupported_media_type")
    assert "odd" not in answer.content.decode()


@pytest.mark.django_db
def test_a_form_without_its_csrf_token_is_a_problem_and_one_log_line() -> None:
    client = APIClient(enforce_csrf_checks=True)
    with capture_logs() as lines:
        answer = client.post("/admin/login/", data="", content_type="application/x-www-form-urlencoded")

    assert_problem(answer, 403, "csrf_failed")
    assert [(line["event"], line["status"]) for line in lines] == [("request.finished", 403)]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnreadablePostError(errno.EAGAIN, "again"), 408, "request_timeout"),
        (UnreadablePostError(errno.ETIMEDOUT, "timed out"), 408, "request_timeout"),
        (UnreadablePostError("the chunked body is malformed"), 400, "parse_error"),
        (RequestDataTooBig("secret"), 413, "request_too_large"),
    ],
)
def test_a_body_that_cannot_be_read_is_the_clients_problem(error: Exception, status: int, code: str) -> None:
    answer = problems.exception_handler(error, {})

    assert answer is not None
    assert isinstance(answer.data, dict)
    assert (answer.status_code, answer.data["code"]) == (status, code)


def test_an_authentication_scheme_is_offered_where_there_is_one() -> None:
    error = NotAuthenticated()
    error.auth_header = "Bearer"  # type: ignore[attr-defined] # as APIView sets it

    answer = problems.exception_handler(error, {})

    assert answer is not None
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RequestDataTooBig("secret"), 413, "request_too_large"),
        (TooManyFieldsSent("secret"), 400, "bad_request"),
        (SuspiciousOperation("secret"), 400, "bad_request"),
        (ValueError("secret"), 400, "parse_error"),
    ],
)
def test_what_django_refuses_itself_is_a_problem(error: Exception, status: int, code: str) -> None:
    answer = problems.bad_request(RequestFactory().get("/"), error)

    assert answer.status_code == status
    assert f'"code": "{code}"' in answer.content.decode()
    assert "secret" not in answer.content.decode()


def test_what_django_forbids_itself_is_a_problem() -> None:
    answer = problems.permission_denied(RequestFactory().get("/"), PermissionError("secret"))

    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert "secret" not in answer.content.decode()
