"""JSON output, and when it is chosen; errors are labelled application/problem+json."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import mark_safe
from rest_framework import negotiation, renderers
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from ops.api.problems import CONTENT_TYPE, Problem

MEDIA_TYPE = "application/json"
ZERO = re.compile(r"0(?:\.0{0,3})?")
ANYTHING = {"", "*/*", "application/json"}


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
        context["code_style"] = ""  # for documents of another library; a page has no style element
        context["display_edit_forms"] = True  # hidden on a 403, although every client may POST where only staff may GET
        if isinstance(data, Problem):
            context["response_headers"]["Content-Type"] = CONTENT_TYPE
        return context

    def get_content(
        self,
        renderer: BaseRenderer,
        data: Any,
        accepted_media_type: str | None,
        renderer_context: Mapping[str, Any],
    ) -> str:
        """Link the trace of a problem in development."""
        content: str = super().get_content(renderer, data, accepted_media_type, renderer_context)
        if not settings.CONFIG.development_recording or not isinstance(data, Problem) or not data["traceId"]:
            return content
        shown = format_html('"traceId": "{}"', data["traceId"])
        href = reverse("development_trace", args=[data["traceId"]])
        link = format_html('"traceId": "<a href="{}" style="text-decoration: underline">{}</a>"', href, data["traceId"])
        return mark_safe(escape(content).replace(escape(shown), link, 1))  # noqa: S308 - escaped


class ContentNegotiation(negotiation.DefaultContentNegotiation):
    """Choose JSON immediately for clients that accept it; negotiate with the others, such as browsers."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderers = list(renderers)
        first = renderers[0]
        if request.META.get("HTTP_ACCEPT", "") in ANYTHING and first.media_type == "application/json":
            return first, first.media_type
        accept = request.META.get("HTTP_ACCEPT", "")
        if "q=0" in accept.replace(" ", "").lower():  # the library reads no weight
            renderers = [renderer for renderer in renderers if not _is_refused(renderer.media_type or "", accept)]
        renderer, media_type = super().select_renderer(request, renderers, format_suffix)
        # Of all parameters, only `indent` changes the answer.
        is_plain = renderer.media_type == MEDIA_TYPE and "indent" not in media_type.lower()
        return renderer, MEDIA_TYPE if is_plain else media_type

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Choose the parser of exactly this media type: a body has no `*/*`."""
        given = (request.content_type or "").partition(";")[0].strip(" \t").lower()
        return next((parser for parser in parsers if parser.media_type == given), None)


def _is_refused(media_type: str, accept: str) -> bool:
    """Return whether the most specific range for the type has the weight 0 (RFC 9110, section 12.5.1)."""
    kind = media_type.partition("/")[0]
    weights: dict[str, str] = {}
    for member in accept.lower().split(","):
        media_range, *parameters = [part.strip() for part in member.split(";")]
        weights[media_range] = next((part.partition("=")[2] for part in parameters if part.startswith("q=")), "1")
    weight = next((weights[name] for name in (media_type, f"{kind}/*", "*/*") if name in weights), "1")
    return ZERO.fullmatch(weight) is not None
