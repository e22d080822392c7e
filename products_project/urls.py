"""The paths of products: its own, and those that every service has."""

from __future__ import annotations

from django.urls import path

from events.inbox.views import EventInbox
from ops.api.urls import handler400, handler403, handler404, handler500
from ops.api.urls import urlpatterns as shared
from products_project.products import urls as products

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    *products.urlpatterns,
    path("events", EventInbox.as_view(callers=("orders-service",)), name="event-inbox"),
    *shared,
]
