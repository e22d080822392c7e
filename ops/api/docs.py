"""/openapi.json and /docs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, QueryDict
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ops.api.renderers import JSONRenderer


class OthersAsJSON(APIView):
    """Answer errors and OPTIONS in JSON, as the renderers of the document and the page cannot show them."""

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        self._accept_json()
        return response

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        response = super().options(request, *args, **kwargs)
        self._accept_json()
        return response

    def _accept_json(self) -> None:
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type


class OpenAPI(OthersAsJSON, SpectacularJSONAPIView):
    """The service's OpenAPI document."""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Drop the query: `?version=` would write into the document."""
        request.GET = QueryDict()
        return super().initialize_request(request, *args, **kwargs)


class Docs(OthersAsJSON, SpectacularSwaggerSplitView):
    """Swagger UI over that document, its script apart from the page: pages hold none (ops.api.page_policy)."""

    template_name = "ops/docs.html"
    query_parameters = ("script",)
