"""The login of the admin: counted, and refused for a while after too many failures from one address."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

import structlog
from axes.middleware import AxesMiddleware
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from ops.api.problems import problem_response
from ops.telemetry import metrics

log = structlog.get_logger("ops.api.login")


def login(request: HttpRequest) -> HttpResponse:
    """Answer the admin's login form; count and log each attempt, without the name, which may be a password."""
    response: HttpResponse = _limited_login(request)
    if request.method == "POST":
        _observe(request, response)
    return response


def refuse(request: HttpRequest, response: HttpResponse | None, credentials: object) -> HttpResponse:
    """Answer 429 instead of the form (AXES_LOCKOUT_CALLABLE)."""
    cool_off: timedelta = getattr(settings, "AXES_COOLOFF_TIME")  # noqa: B009 - the tests of events lack the app
    minutes = int(cool_off.total_seconds() // 60)
    detail = f"Too many logins failed from this address; try again in {minutes} minutes."
    return problem_response(429, "too_many_logins", detail, headers={"Retry-After": str(minutes * 60)})


# Only this path needs the library's middleware, which would cost every request time.
_limited_login = AxesMiddleware(admin.site.login)


def _observe(request: HttpRequest, response: HttpResponse) -> None:
    client = request.META["REMOTE_ADDR"]
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        outcome = "refused"
        log.warning("login.refused", client=client)
    elif request.user.is_authenticated:
        outcome = "succeeded"
        log.info("login.succeeded", client=client)
    else:
        outcome = "failed"
        log.warning("login.failed", client=client)
    metrics.login_attempts_total.labels(outcome).inc()
