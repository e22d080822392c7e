"""/openapi.json and /docs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, QueryDict
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ops.api.renderers import JSONRenderer


class ProblemsAsJSON(APIView):
    """Answer errors in JSON, as the renderers of the document and the page cannot show a problem."""

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return response


class OpenAPI(ProblemsAsJSON, SpectacularJSONAPIView):
    """The service's OpenAPI document."""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Drop the query: `?version=` would write into the document."""
        request.GET = QueryDict()
        return super().initialize_request(request, *args, **kwargs)


class Docs(ProblemsAsJSON, SpectacularSwaggerView):
    """Swagger UI over that document."""
