"""The paths of the products app."""

from __future__ import annotations

from django.urls import path

from products_project.products.views import products, reservations, stats

urlpatterns = [
    # Django tries them in this order, and most requests are for one product.
    path("products/<int:product_id>", products.ProductDetail.as_view(), name="product-detail"),
    path("products", products.ProductList.as_view(), name="product-list"),
    path("reservations/<uuid:reservation_id>", reservations.ReservationDetail.as_view(), name="reservation-detail"),
    path("products/<int:product_id>/stats", stats.ProductStats.as_view(), name="product-stats"),
]
