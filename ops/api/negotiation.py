"""The choice of the renderer and the parser."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rest_framework import negotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

ZERO = re.compile(r"0(?:\.0{0,3})?")
ANYTHING = {"", "*/*", "application/json"}


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
        return renderer, media_type

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
