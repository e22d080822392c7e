"""JSON out, errors labelled application/problem+json."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rest_framework import renderers
from rest_framework.exceptions import APIException

from ops.problems import CONTENT_TYPE, Problem


class JSONRenderer(renderers.JSONRenderer):
    """Render JSON, and a Problem under its own media type (RFC 9457, section 3)."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        response = (renderer_context or {}).get("response")
        # Not where the browsable API borrows this renderer to show the problem within its HTML.
        if isinstance(data, Problem) and response is not None and response.accepted_renderer is self:
            response["Content-Type"] = CONTENT_TYPE
        return super().render(data, accepted_media_type, renderer_context)


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """Show problems as what they are, and the form of a method that is allowed where another is not."""

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        # Before the forms ask on behalf of methods that need a CSRF token, and would log out who is not known yet.
        with suppress(APIException):
            _ = renderer_context["request"].user
        context = super().get_context(data, accepted_media_type, renderer_context)
        context["display_edit_forms"] = True  # hidden on a 403, though anyone may POST where staff alone GET
        if isinstance(data, Problem):
            context["response_headers"]["Content-Type"] = CONTENT_TYPE
        return context
