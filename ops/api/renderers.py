"""JSON output; errors are labelled application/problem+json."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import renderers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from ops.api.problems import CONTENT_TYPE, Problem

MEDIA_TYPE = "application/json"


def answer(
    request: Request, data: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponseBase:
    """Return the answer of a view: bytes if plain JSON is accepted, which is almost always, else a Response.

    `data` contains only JSON types. A Response is rendered later like a template, which takes as long as the rest of
    the view.
    """
    if request.accepted_media_type == MEDIA_TYPE:
        return HttpResponse(orjson.dumps(data), content_type=MEDIA_TYPE, status=status, headers=headers)
    return Response(data, status=status, headers=headers)


class JSONRenderer(renderers.JSONRenderer):
    """Render JSON, and a Problem under its own media type (RFC 9457, section 3)."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        response = (renderer_context or {}).get("response")
        # Not if the browsable API uses this renderer to show the problem within its HTML.
        if isinstance(data, Problem) and response is not None and response.accepted_renderer is self:
            response["Content-Type"] = CONTENT_TYPE
        return super().render(data, accepted_media_type, renderer_context)


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """Show problems as problems, and the forms of allowed methods beside refused ones."""

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        # Before the forms check methods that need a CSRF token, which would log out an unauthenticated user.
        with suppress(APIException):
            _ = renderer_context["request"].user
        context = super().get_context(data, accepted_media_type, renderer_context)
        context["display_edit_forms"] = True  # hidden on a 403, although every client may POST where only staff may GET
        if isinstance(data, Problem):
            context["response_headers"]["Content-Type"] = CONTENT_TYPE
        return context
