"""Products in the admin, editable by staff."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from products_project.products.models import Product, ProductSales


class SaleFilter(admin.SimpleListFilter):
    """Tell products on sale from retired ones."""

    title = "sale"
    parameter_name = "sale"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("on", "On sale"), ("retired", "Retired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        if self.value() not in ("on", "retired"):
            return queryset
        return queryset.filter(retired_at__isnull=self.value() == "on")


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("id", "name", "units_sold", "retired_at")
    list_display_links = ("id", "name")
    list_filter = (SaleFilter,)
    search_fields = ("name",)
    readonly_fields = ("retired_at",)  # retire_product writes it
    ordering = ("id",)
    show_full_result_count = False  # counting a large table twice a page is slow

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        sold = ProductSales.objects.filter(product_id=OuterRef("pk")).values("units_sold")
        products: QuerySet[Product] = super().get_queryset(request).annotate(sold=Subquery(sold))
        return products

    @admin.display(description="units sold", ordering="sold")
    def units_sold(self, product: Any) -> int:
        return product.sold or 0
