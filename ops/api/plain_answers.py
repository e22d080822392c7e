"""Views whose answers are bytes, as those of `ops.api.renderers.answer` are, and do with less around them."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

_made: dict[type[APIView], dict[str, str]] = {}


class PlainAnswers(APIView):
    """Make Allow and Vary once for each class, not for each answer, and leave no work to the garbage collector."""

    @property
    def default_response_headers(self) -> dict[str, str]:
        made = _made.get(type(self))
        if made is None:
            made = _made[type(self)] = super().default_response_headers
        return made.copy()

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(response, Response) or response.has_header("Vary"):
            return super().finalize_response(request, response, *args, **kwargs)
        for name, value in self.headers.items():
            response[name] = value
        # Both lead back to the view. Without them it is freed at once, and not by the garbage collector.
        vars(self).pop("head", None)
        request.parser_context.clear()
        return response
