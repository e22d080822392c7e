"""The common paths of services. ops.server.middleware answers /healthz, /readyz and /metrics before them."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from ops.api.docs import Docs, OpenAPI
from ops.api.front_page import front_page
from ops.api.login import login

admin.site.site_title = admin.site.site_header = f"{settings.SPECTACULAR_SETTINGS['TITLE']} administration"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", front_page, name="front_page"),
    path("openapi.json", OpenAPI.as_view(), name="openapi"),
    # Relative: a gateway serves them below a prefix.
    path("docs", Docs.as_view(url="openapi.json", url_self="docs"), name="docs"),
    path("admin/login/", login),
    path("admin/", admin.site.urls),
]

if settings.CONFIG.development_recording:
    from ops.development.urls import urlpatterns as development  # only development loads it

    urlpatterns += development

handler400 = "ops.api.problems.bad_request"
handler403 = "ops.api.problems.permission_denied"
handler404 = "ops.api.problems.not_found"
handler500 = "ops.api.problems.server_error"
