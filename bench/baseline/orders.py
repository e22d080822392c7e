"""orders as in the quick start of Django REST framework."""

from __future__ import annotations

import os
from typing import Any

import requests
import structlog
from django.db import models
from django.urls import include, path
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

logger = structlog.get_logger("django_structlog.orders")


class Order(models.Model):
    """An order in Argos' table."""

    product_id = models.BigIntegerField()
    quantity = models.IntegerField()
    status = models.CharField(max_length=20, default="confirmed")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "baseline"
        db_table = "orders_order"
        managed = False


class OrderSerializer(serializers.ModelSerializer):  # type: ignore[type-arg] # as the quick start has it
    productId = serializers.IntegerField(source="product_id", min_value=1)  # noqa: N815 - wire name
    createdAt = serializers.DateTimeField(source="created_at", read_only=True)  # noqa: N815 - wire name

    class Meta:
        model = Order
        fields = ("id", "productId", "quantity", "status", "createdAt")


class OrderList(APIView):
    def post(self, request: Request) -> Response:
        serializer = OrderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        product_id: Any = serializer.validated_data["product_id"]
        answer = requests.get(f"{os.environ['PRODUCTS_SERVICE_URL']}/products/{product_id}", timeout=1)
        if answer.status_code == 404:
            return Response({"detail": "Product does not exist"}, status=status.HTTP_400_BAD_REQUEST)
        answer.raise_for_status()
        serializer.save()
        logger.info("order_placed", order_id=serializer.data["id"])
        return Response(serializer.data, status=status.HTTP_201_CREATED)


urlpatterns = [path("orders", OrderList.as_view()), path("", include("django_prometheus.urls"))]
