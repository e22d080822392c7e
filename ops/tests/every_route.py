"""Every path of a service, made from its URL configuration, with every method, body and Accept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from ops.config.service import DEVELOPMENT_TOKEN
from ops.tests.clients import BROWSER, anonymous, staff

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
    """Return a client with the service token."""
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {DEVELOPMENT_TOKEN}")
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
