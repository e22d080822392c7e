"""The page at `/`: it says what answers here and links what people look for."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.cache import patch_vary_headers

from ops.api.problems import problem_response

LINKS = {
    "docs": "the API, to read and to try",
    "openapi.json": "the same as an OpenAPI document",
    "admin/": "the admin, for staff",
    "healthz": "is the process alive?",
    "readyz": "can it take requests?",
    "metrics": "for Prometheus",
}


def front_page(request: HttpRequest) -> HttpResponse:
    """Answer a page to a browser, and plain text to every other client."""
    if request.method not in ("GET", "HEAD"):
        allowed = {"Allow": "GET, HEAD"}
        return problem_response(405, "method_not_allowed", "This path answers GET and HEAD.", headers=allowed)
    kind = "html" if "text/html" in request.headers.get("Accept", "") else "plain"
    page = render_to_string(f"ops/front_page.{kind}", _context())
    response = HttpResponse(page, content_type=f"text/{kind}; charset=utf-8")
    patch_vary_headers(response, ["Accept"])
    return response


def _context() -> dict[str, object]:
    spectacular, config = settings.SPECTACULAR_SETTINGS, settings.CONFIG
    links = [(get_script_prefix() + path, meaning) for path, meaning in LINKS.items()]
    if config.development_recording:
        links.append((reverse("development"), "the last requests: their traces and log lines"))
    return {
        "title": spectacular["TITLE"],
        "description": spectacular["DESCRIPTION"],
        "service": f"{config.service} {config.service_version}",
        "links": links,
    }
