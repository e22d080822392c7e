"""The paths of the orders app."""

from __future__ import annotations

from django.urls import path

from orders_project.orders import views

urlpatterns = [
    path("orders", views.OrderList.as_view(), name="order-list"),
    path("orders/<int:order_id>", views.OrderDetail.as_view(), name="order-detail"),
]
