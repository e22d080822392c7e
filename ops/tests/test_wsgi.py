"""A chunked body is read like any other, a faulty one is a problem, and a request does no work twice."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost
from django.test import override_settings

from ops.config.service import ROOT
from ops.server.wsgi import Request
from ops.tests.call_wsgi import call_wsgi
from ops.tests.problem_shape import check_problem
from ops.tests.wsgi import application

BODY = b'{"a": [1, 2, 3]}'


class Raising(io.RawIOBase):
    """A body that cannot be read."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, size: int = -1) -> bytes:
        raise self.error


def call(body: io.IOBase, **extra: Any) -> tuple[int, str, bytes]:
    """Post the body through the WSGI application and return status, media type and body."""
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/echo", "CONTENT_TYPE": "application/json", "wsgi.input": body}
    status, headers, answer = call_wsgi(application, environ | extra)
    return int(status[:3]), headers["Content-Type"], answer


def call_chunked(body: io.IOBase, **extra: Any) -> tuple[int, str, bytes]:
    return call(body, HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True}, **extra)


def test_a_chunked_body_is_read() -> None:
    assert call_chunked(io.BytesIO(BODY)) == (200, "application/json", b'{"a":[1,2,3]}')


def test_an_empty_chunked_body_is_empty() -> None:
    assert call_chunked(io.BytesIO())[0] == 200


def test_the_coding_is_recognised_in_any_case_and_behind_others() -> None:
    status, _, answer = call(
        io.BytesIO(BODY), **{"wsgi.input_terminated": True}, HTTP_TRANSFER_ENCODING="gzip, Chunked"
    )

    assert (status, answer) == (200, b'{"a":[1,2,3]}')


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=len(BODY))
def test_a_chunked_body_of_exactly_the_limit_is_read() -> None:
    assert call_chunked(io.BytesIO(BODY))[0] == 200


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=len(BODY) - 1)
def test_a_chunked_body_over_the_limit_is_too_large_and_not_read_to_its_end() -> None:
    body = io.BytesIO(BODY + b" " * 1_000_000)

    status, content_type, answer = call_chunked(body)

    assert status == 413
    check_problem(answer, content_type, 413, "request_too_large")
    assert body.tell() == len(BODY)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("an invalid chunk"), 400, "parse_error"),
        (ConnectionResetError(104, "reset"), 400, "parse_error"),
        (BlockingIOError(11, "again"), 408, "request_timeout"),
    ],
)
def test_a_chunked_body_that_cannot_be_read_is_a_problem(error: Exception, status: int, code: str) -> None:
    found, content_type, answer = call_chunked(Raising(error))

    assert found == status
    check_problem(answer, content_type, status, code)


def test_a_body_of_known_length_that_stalls_is_a_problem() -> None:
    _, content_type, answer = call(Raising(BlockingIOError(11, "again")), CONTENT_LENGTH="5")

    check_problem(answer, content_type, 408, "request_timeout")


def test_a_body_that_ends_early_is_refused_even_if_it_is_json() -> None:
    _, content_type, answer = call(io.BytesIO(BODY), CONTENT_LENGTH=str(len(BODY) + 1))

    check_problem(answer, content_type, 400, "parse_error")


def test_a_server_that_does_not_decode_chunks_is_not_trusted_with_them() -> None:
    assert call(io.BytesIO(BODY), HTTP_TRANSFER_ENCODING="chunked")[2] == b"{}"


def test_a_request_judges_its_host_once() -> None:
    request = Request({"REQUEST_METHOD": "GET", "HTTP_HOST": "localhost:3001", "wsgi.input": io.BytesIO()})

    assert request.get_host() == "localhost:3001"
    with override_settings(ALLOWED_HOSTS=[]):
        assert request.get_host() == "localhost:3001"


def test_a_host_that_is_not_allowed_is_refused_each_time() -> None:
    request = Request({"REQUEST_METHOD": "GET", "HTTP_HOST": "-", "wsgi.input": io.BytesIO()})

    for _ in range(2):
        with pytest.raises(DisallowedHost):
            request.get_host()


def test_no_token_no_library_of_tokens() -> None:
    program = "import ops.tests.wsgi, sys; print(*{'joserfc', 'cryptography'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
