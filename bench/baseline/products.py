"""products as in the quick start of Django REST framework."""

from __future__ import annotations

from django.db import models
from django.urls import include, path
from rest_framework import generics, serializers


class Product(models.Model):
    """A product in Argos' table."""

    name = models.CharField(max_length=200)

    class Meta:
        app_label = "baseline"
        db_table = "products_product"
        managed = False


class ProductSerializer(serializers.ModelSerializer):  # type: ignore[type-arg] # as the quick start has it
    class Meta:
        model = Product
        fields = ("id", "name")


class ProductDetail(generics.RetrieveAPIView):  # type: ignore[type-arg] # likewise
    queryset = Product.objects.all()  # type: ignore[attr-defined] # the app is not installed
    serializer_class = ProductSerializer


urlpatterns = [path("products/<int:pk>", ProductDetail.as_view()), path("", include("django_prometheus.urls"))]
