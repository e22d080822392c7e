"""Call the reservations of products as a service does."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.test import APIClient

from ops.tests.service_tokens import service_token
from products_project.products.models import Product


def service() -> APIClient:
    """Return a client with a token of orders."""
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {service_token('products-service')}")
    return client


def path(key: int | UUID) -> str:
    return f"/reservations/{key if isinstance(key, UUID) else UUID(int=key)}"


def reserve(key: int | UUID, product_id: int = 1, quantity: int = 1) -> Any:
    return service().put(path(key), {"productId": product_id, "quantity": quantity})


def release(key: int | UUID) -> Any:
    return service().delete(path(key))


def stock(product_id: int = 1) -> int | None:
    return Product.objects.values_list("stock", flat=True).get(pk=product_id)


def set_stock(count: int | None, product_id: int = 1) -> None:
    Product.objects.filter(pk=product_id).update(stock=count)
