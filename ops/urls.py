"""The paths that every service has. ops.middleware answers /healthz, /readyz and /metrics before any of them."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from ops.docs import Docs, OpenAPI

urlpatterns: list[URLPattern | URLResolver] = [
    path("openapi.json", OpenAPI.as_view(), name="openapi"),
    path("docs", Docs.as_view(url_name="openapi"), name="docs"),
    path("admin/", admin.site.urls),
]

handler400 = "ops.problems.bad_request"
handler403 = "ops.problems.permission_denied"
handler404 = "ops.problems.not_found"
handler500 = "ops.problems.server_error"
