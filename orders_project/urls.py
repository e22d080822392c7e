"""The paths of orders: its own, and those that every service has."""

from __future__ import annotations

from ops.api.urls import handler400, handler403, handler404, handler500
from ops.api.urls import urlpatterns as shared
from orders_project.orders import urls as orders

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [*orders.urlpatterns, *shared]
