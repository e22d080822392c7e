"""Orders in the admin: searchable, filterable, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from orders_project.orders.models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("id", "product_id", "product_name", "quantity", "status", "created_at")
    list_filter = ("status", "created_at")
    search_fields = ("=id", "=product_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    show_full_result_count = False  # counting a large table twice for each page is slow

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False
