"""The only module that talks to products: every outcome is a Product, ProductDoesNotExist or ProductsUnavailable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from django.conf import settings

from ops.circuit_breaker import CircuitBreaker, RetryBudget
from ops.http_client import HttpClient, InvalidAnswer, PeerUnavailable, Policy
from orders_project.config import OrdersConfig
from orders_project.orders.errors import ProductDoesNotExist, ProductsUnavailable

PEER = "products"


@dataclass(frozen=True)
class Product:
    """What products says of a product."""

    id: int
    name: str


class ProductsClient:
    """Ask one products service."""

    def __init__(self, base_url: str, client: HttpClient) -> None:
        self._base_url = base_url
        self._client = client

    @classmethod
    def from_config(cls, config: OrdersConfig) -> ProductsClient:
        """Return a client with the timeouts, budget and breaker that the environment asks for."""

        def seconds(value: float) -> timedelta:
            return timedelta(seconds=value)

        policy = Policy(
            connect_timeout=seconds(config.products_connect_timeout),
            try_timeout=seconds(config.products_try_timeout),
            deadline=seconds(config.products_deadline),
            max_tries=config.products_max_tries,
        )
        breaker = CircuitBreaker(
            PEER,
            failure_ratio=config.products_breaker_failure_ratio,
            min_calls=config.products_breaker_min_calls,
            window=seconds(config.products_breaker_window),
            open_for=seconds(config.products_breaker_open_for),
        )
        budget = RetryBudget(config.products_retry_budget)
        return cls(config.products_service_url, HttpClient(PEER, policy, breaker, budget))

    def fetch_product(self, product_id: int) -> Product:
        """Return the product; raise ProductDoesNotExist or ProductsUnavailable."""

        def read(status: int, body: bytes) -> Product:
            if status == 404:
                raise ProductDoesNotExist
            if status != 200:
                raise InvalidAnswer(f"answered {status}")
            return _parse_product(body, product_id)

        try:
            return self._client.get(f"{self._base_url}/products/{product_id}", read)
        except PeerUnavailable as failure:
            raise ProductsUnavailable(retry_after=failure.retry_after) from failure


def _parse_product(body: bytes, product_id: int) -> Product:
    try:
        document = json.loads(body)
        product = Product(id=document["id"], name=document["name"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidAnswer("answered something that is no product") from None
    if type(product.id) is not int or type(product.name) is not str:
        raise InvalidAnswer("answered something that is no product")
    if "\0" in product.name or not _is_encodable(product.name):
        raise InvalidAnswer("answered a name that no database stores")
    if product.id != product_id:
        raise InvalidAnswer("answered another product")
    return product


def _is_encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


@cache
def products_client() -> ProductsClient:
    """Return this process's client."""
    return ProductsClient.from_config(settings.CONFIG)
