"""The paths of the development page; `ops.api.urls` adds them only where a recording is configured."""

from __future__ import annotations

from django.urls import path

from ops.development.views import overview, trace

urlpatterns = [
    path("dev", overview, name="development"),
    path("dev/traces/<str:trace_id>", trace, name="development_trace"),
]
