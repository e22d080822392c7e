"""The choice of the renderer."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework import negotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

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
        renderer, media_type = super().select_renderer(request, renderers, format_suffix)
        return renderer, media_type
