"""Products in the admin, editable by staff, and reservations, read-only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from ops.api.admin_site import ReadOnlyAdmin
from products_project.products.models import MAX_STOCK, Product, ProductSales, Reservation
from products_project.products.serializers import PRODUCT
from products_project.products.services.stock import locked_stock


class SaleFilter(admin.SimpleListFilter):
    """Filter products by on sale or retired."""

    title = "sale"
    parameter_name = "sale"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("on", "On sale"), ("retired", "Retired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        if self.value() not in ("on", "retired"):
            return queryset
        return queryset.filter(retired_at__isnull=self.value() == "on")


class ProductForm(forms.ModelForm):
    """Accept a new stock only if the shown one is still current, as orders reserve while the page is open."""

    stock = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_STOCK,
        show_hidden_initial=True,  # the value that `has_changed` compares with
        help_text=Product._meta.get_field("stock").help_text,  # noqa: SLF001 - Django's documented API
    )

    def clean_stock(self) -> int | None:
        wanted: int | None = self.cleaned_data["stock"]
        if self.instance.pk is None or "stock" not in self.changed_data:
            return wanted
        now = locked_stock(self.instance.pk)  # within the admin's transaction
        if str(now if now is not None else "") != self.data.get(self["stock"].html_initial_name, ""):
            count = "not tracked" if now is None else now
            raise forms.ValidationError(f"It has changed since this page was loaded: it is {count}. Load it again.")
        return wanted


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    form = ProductForm
    list_display = (*PRODUCT.columns, "stock", "units_sold", "retired_at")
    list_display_links = ("id", "name")
    list_filter = (SaleFilter,)
    search_fields = ("name__folded_contains",)
    readonly_fields = ("retired_at",)  # retire_product writes it
    ordering = ("id",)
    show_full_result_count = False  # counting a large table twice for each page is slow

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        """Save only changed fields, so that a concurrent change of the stock stays."""
        obj.save(update_fields=form.changed_data if change else None)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        sold = ProductSales.objects.filter(product_id=OuterRef("pk")).values("units_sold")
        products: QuerySet[Product] = super().get_queryset(request).annotate(sold=Subquery(sold))
        return products

    @admin.display(description="units sold", ordering="sold")
    def units_sold(self, product: Any) -> int:
        return product.sold or 0


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = ("id", "product_id", "quantity", "status", "takes_stock", "created_at", "cancelled_at")
    list_filter = ("status",)
    search_fields = ("=id", "=product_id")
    ordering = ("-created_at",)
