"""Invoices in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from invoices_project.invoices.models import Invoice
from ops.api.admin_site import ReadOnlyAdmin


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ("order_id", "product_id", "quantity", "created_at")
    search_fields = ("=order_id", "=product_id")
    ordering = ("-order_id",)
