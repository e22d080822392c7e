"""Every path of a service, made from its URL configuration, with every method, body and Accept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from ops.server.wsgi import get_application
from ops.tests.call_wsgi import call_wsgi
from ops.tests.clients import BROWSER, anonymous, staff
from ops.tests.service_tokens import bearer, service_token

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "EVIL"]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
# A body, its media type and an Accept: each of them at least once, not each combination.
VARIANTS = [
    ("", "", JSON),
    ("{}", JSON, BROWSER),
    ("a=b", FORM, "*/*;q=0"),
    ("", "", BROWSER),
    ("{}", JSON, "image/png"),
    ("[]", JSON, JSON),
]
OF_DJANGO = VARIANTS[:3]  # for the views of the admin, which read no Accept
VALUES = {"int": "1", "uuid": "0198c1de-6c1b-7c3e-9d3e-2f1f3a4b5c6d"}
NOT_OF_BROWSERS = [variant for variant in VARIANTS if variant[2] != BROWSER]
PLAIN_REQUESTS: list[dict[str, str]] = [
    {},
    {"HTTP_AUTHORIZATION": bearer(settings.CONFIG.service)["Authorization"], "wsgi.url_scheme": "https"},
    {"QUERY_STRING": "serach=x"},
]
PARAMETER = re.compile(r"<(?:(\w+):)?\w+>")
ALTERNATIVES = re.compile(r"\(\?P<\w+>([^|)]*)[^)]*\)")  # in the regular expressions of the admin


def paths() -> list[str]:
    """Return one path for each route."""
    return sorted(set(_paths(get_resolver().url_patterns, "/")))


def _paths(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        path = prefix + _example(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _paths(pattern.url_patterns, path)
        else:
            yield path


def _example(route: str) -> str:
    route = ALTERNATIVES.sub(r"\1", route).replace(".*", "nowhere").removeprefix("^").removesuffix("$")
    return PARAMETER.sub(lambda found: VALUES.get(found[1] or "str", "x"), route)


def service() -> APIClient:
    """Return a client with a token of orders."""
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {service_token(settings.CONFIG.service)}")
    return client


def failures(method: str) -> list[tuple[Any, ...]]:
    """Send each request of this method; return those whose answer is a 5xx."""
    found = []
    for path in paths():
        variants = OF_DJANGO if path.startswith("/admin/") else VARIANTS
        for client in (anonymous(), service(), staff()):
            for body, media_type, accept in variants:
                answer = client.generic(method, path, body, content_type=media_type, headers={"accept": accept})
                if answer.status_code >= 500:
                    found.append((path, media_type, accept, answer.status_code))
    return found


def differences(method: str) -> list[tuple[Any, ...]]:
    """Send each request of this method without and with a cookie; return those that are answered differently."""
    application = get_application()
    found = []
    under = tuple(settings.API_PATHS)
    for path in [*(path for path in paths() if path.startswith(under)), *(f"{path}/nowhere" for path in under)]:
        for body, media_type, accept in NOT_OF_BROWSERS:
            for extra in PLAIN_REQUESTS:
                environ = {
                    "REQUEST_METHOD": method,
                    "PATH_INFO": path,
                    "CONTENT_TYPE": media_type,
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_ACCEPT": accept,
                    "HTTP_X_REQUEST_ID": "1",
                    **extra,
                }
                plain, with_cookie = (
                    call_wsgi(application, environ | cookie | {"wsgi.input": BytesIO(body.encode())})
                    for cookie in ({}, {"HTTP_COOKIE": "another=1"})
                )
                if plain != with_cookie:
                    found.append((path, media_type, accept, extra, plain, with_cookie))
    return found
