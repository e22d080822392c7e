"""Every error as application/problem+json (RFC 9457), from one exception handler.

DomainError
├── RequestTooLarge           413 request_too_large
├── RequestTimeout            408 request_timeout
├── Busy                      503 busy, with Retry-After
├── DatabaseUnavailable       503 database_unavailable, with Retry-After
└── …                         each service's errors.py
"""

from __future__ import annotations

import errno
import math
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.urls import is_valid_path
from rest_framework import exceptions
from rest_framework.response import Response

from ops.database.errors import is_contention, is_unavailable
from ops.telemetry import request_context

CONTENT_TYPE = "application/problem+json"

# The names of RFC 9110; Python uses them since 3.13.
RENAMED = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}


class DomainError(Exception):
    """A fact that stops a use case; `code` is stable and documented, `retry_after` becomes the header Retry-After.

    `members` extend the problem document (RFC 9457, section 3.2), `headers` the answer.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    detail: ClassVar[str]
    headers: Mapping[str, str] = {}
    retry_after: timedelta | None = None

    def __init__(
        self, detail: str | None = None, *, retry_after: timedelta | None = None, members: dict[str, Any] | None = None
    ) -> None:
        super().__init__(detail or self.detail)
        if retry_after is not None:
            self.retry_after = retry_after
        self.members = members or {}


class RequestTooLarge(DomainError):
    """The body is larger than REQUEST_MAX_BYTES."""

    code = "request_too_large"
    status = 413
    detail = "The request body is too large."


class RequestTimeout(DomainError):
    """The body did not arrive in time (RFC 9110, section 15.5.9)."""

    code = "request_timeout"
    status = 408
    detail = "The request body did not arrive in time."


class Busy(DomainError):
    """Other transactions hold what this one needs; nothing was changed."""

    code = "busy"
    status = 503
    detail = "Others use this at the moment; nothing was changed, try again."
    retry_after = timedelta(seconds=1)


class DatabaseUnavailable(DomainError):
    """The database is away, read-only or full."""

    code = "database_unavailable"
    status = 503
    detail = "The database cannot be used at the moment; try again."
    retry_after = timedelta(seconds=1)


def database_problem(error: BaseException | None) -> DomainError | None:
    """Return what a database's error means to a client; None if it is a fault of ours."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return None
    if is_unavailable(error):
        return DatabaseUnavailable()
    return Busy() if is_contention(error) else None


class Problem(dict[str, Any]):
    """The members of one problem document; renderers label it application/problem+json."""


def reason_phrase(status: int) -> str:
    """Return the name of the status, the same on every Python."""
    return RENAMED.get(status) or HTTPStatus(status).phrase


def problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> Problem:
    """Return the problem document: type, title, status, detail, code, traceId, requestId, and errors for validation."""
    context = request_context.current()
    body = Problem(
        type="about:blank",
        title=reason_phrase(status),
        status=status,
        detail=detail,
        code=code,
        traceId=context.trace_id,
        requestId=context.request_id,
    )
    if errors is not None:
        body["errors"] = errors
    return body


def problem_response(status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return a problem from outside Django REST framework."""
    structlog.contextvars.bind_contextvars(code=code)  # for the request's log line
    return JsonResponse(problem(status, code, detail), status=status, content_type=CONTENT_TYPE, headers=headers)


def validation_response(detail: Any) -> HttpResponse:
    """Return the problem of names or values that are not valid, from outside a view."""
    structlog.contextvars.bind_contextvars(code="validation_error")  # for the request's log line
    return JsonResponse(_validation_problem(detail), status=400, content_type=CONTENT_TYPE)


def _validation_problem(detail: Any) -> Problem:
    errors = [
        {"field": field, "code": error.code or "invalid", "detail": str(error)} for field, error in _flatten(detail)
    ]
    return problem(400, "validation_error", "The request is not valid; see errors.", errors)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an API exception, a DomainError or a refusal by Django; return None for any other, which becomes a 500."""
    headers: dict[str, str] = {}
    if isinstance(error, UnreadablePostError):
        # Django keeps the number of the socket's error and may wrap it repeatedly.
        is_slow = error.errno in (errno.EAGAIN, errno.ETIMEDOUT)
        error = RequestTimeout() if is_slow else exceptions.ParseError("The body could not be read.")
    if isinstance(error, RequestDataTooBig):
        error = RequestTooLarge()
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    error = database_problem(error) or error

    if isinstance(error, DomainError):
        headers.update(error.headers)
        if error.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(error.retry_after.total_seconds())))
        body = problem(error.status, error.code, str(error))
        body.update(error.members)
    elif isinstance(error, exceptions.ValidationError):
        body = _validation_problem(error.detail)
    elif isinstance(error, exceptions.APIException):
        headers.update(getattr(error, "headers", {}))
        body = problem(error.status_code, _code(error), _detail(error))
        if header := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = header
    else:
        return None
    structlog.contextvars.bind_contextvars(code=body["code"])  # for the request's log line
    return Response(body, status=body["status"], headers=headers)


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else error.default_code


def _detail(error: exceptions.APIException) -> str:
    # The library's texts for these two repeat input of the client.
    if isinstance(error, exceptions.MethodNotAllowed):
        return "This path does not answer this method; the header Allow names those that it does."
    if isinstance(error, exceptions.UnsupportedMediaType):
        return "The body's media type is not supported; send application/json."
    return str(error.detail) if isinstance(error.detail, str) else str(error.default_detail)


def _flatten(detail: Any, path: str = "") -> Iterator[tuple[str, exceptions.ErrorDetail]]:
    """Yield each validation error with the dotted path of its field."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from _flatten(value, f"{path}.{key}" if path else str(key))
    elif isinstance(detail, list):
        for value in detail:
            yield from _flatten(value, path)
    else:
        yield path or "non_field_errors", detail


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a refusal by Django (handler400), such as a bad Host header."""
    if isinstance(exception, RequestDataTooBig):
        return problem_response(413, RequestTooLarge.code, RequestTooLarge.detail)
    if isinstance(exception, TooManyFieldsSent | TooManyFilesSent | SuspiciousOperation):
        return problem_response(400, "bad_request", "The request was refused.")
    return problem_response(400, "parse_error", "The request could not be read.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer handler403."""
    return problem_response(403, "permission_denied", "You may not do this.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an unrouted path (handler404)."""
    path = request.path_info.rstrip("/")
    if path != request.path_info and is_valid_path(path):
        return problem_response(404, "not_found", f"Paths have no trailing slash: this one is {path}.")
    return problem_response(404, "not_found", "Nothing is at this path.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an unhandled exception (handler500); the request's log line has its traceback, the body does not."""
    if (known := database_problem(sys.exception())) is not None:
        return problem_response(known.status, known.code, known.detail, headers={"Retry-After": "1"})
    return problem_response(500, "internal_error", "An unexpected error occurred; it was logged under this requestId.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without its CSRF token (CSRF_FAILURE_VIEW)."""
    structlog.contextvars.bind_contextvars(csrf_reason=reason)  # for the request's log line
    return problem_response(403, "csrf_failed", "The CSRF token is missing or incorrect.")
