"""The paths of products: its own, and those that every service has."""

from __future__ import annotations

from django.urls import include, path

from ops.api.urls import handler400, handler403, handler404, handler500
from ops.api.urls import urlpatterns as shared
from products_project.products import urls as products

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    *products.urlpatterns,
    path("", include("events.inbox.urls")),
    *shared,
]
