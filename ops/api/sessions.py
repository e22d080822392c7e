"""The session of a browser as a credential."""

from __future__ import annotations

from typing import Any

from rest_framework import authentication
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.request import Request
from structlog.contextvars import bind_contextvars

SESSION_READ = "argos.session_read"  # a key of request.META


class CsrfFailed(APIException):
    """A session's cookie came without its CSRF token."""

    status_code = 403
    default_code = "csrf_failed"
    default_detail = "The CSRF token is missing or incorrect."


class SessionAuthentication(authentication.SessionAuthentication):
    """Name a missing CSRF token in JSON as `ops.api.problems.csrf_failure` does for forms.

    An answer that depends on the session says so to caches, also where a request has none.
    """

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        request.META[SESSION_READ] = True  # for `ops.server.middleware`
        return super().authenticate(request)

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as refusal:
            bind_contextvars(csrf_reason=str(refusal.detail))  # for the request's log line
            raise CsrfFailed from None
