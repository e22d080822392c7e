"""The paths that every service has, and the inbox."""

from __future__ import annotations

from django.urls import include, path

from ops.api.urls import handler400, handler403, handler404, handler500
from ops.api.urls import urlpatterns as shared

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [path("", include("events.inbox.urls")), *shared]
