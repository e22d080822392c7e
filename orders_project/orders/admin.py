"""Orders in the admin: searchable, filterable, read-only."""

from __future__ import annotations

from django.contrib import admin

from ops.api.admin_site import ReadOnlyAdmin
from orders_project.orders.models import Order


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ("id", "product_id", "product_name", "quantity", "status", "owner", "created_at")
    list_filter = ("status", "created_at")
    search_fields = ("=id", "=product_id", "product_name", "=owner")
    date_hierarchy = "created_at"
    ordering = ("-id",)
