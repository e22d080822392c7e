"""The paths of the products app."""

from __future__ import annotations

from django.urls import path

from products_project.products import reservation_views, sales_views, views

urlpatterns = [
    path("products", views.ProductList.as_view(), name="product-list"),
    path("products/<int:product_id>", views.ProductDetail.as_view(), name="product-detail"),
    path(
        "reservations/<uuid:reservation_id>", reservation_views.ReservationDetail.as_view(), name="reservation-detail"
    ),
    path("products/<int:product_id>/stats", sales_views.ProductStats.as_view(), name="product-stats"),
]
