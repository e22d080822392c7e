"""The paths that every service has, and the inbox."""

from __future__ import annotations

from django.urls import path

from events.inbox.views import EventInbox
from ops.api.urls import handler400, handler403, handler404, handler500
from ops.api.urls import urlpatterns as shared

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [path("events", EventInbox.as_view(callers=("orders-service",))), *shared]
