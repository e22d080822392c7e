"""The configuration of orders."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from events.config import EventsConfig
from ops.config.service import HttpUrl, Port, Seconds, database_default

PRODUCTS = "products-service"
ANY_RESERVATION = f"/reservations/{UUID(int=0)}"  # which services alone may read


class OrdersConfig(EventsConfig):
    """The variables of orders: the address of products and the limits of its calls."""

    service: ClassVar[str] = "orders-service"

    port: Port = 3002
    database_url: SecretStr = database_default("var/orders.sqlite3")
    products_service_url: HttpUrl = Field(
        "http://localhost:3001",
        json_schema_extra={"probe": "/healthz", "contract": "GET /products/{id}", "token": [PRODUCTS, ANY_RESERVATION]},
    )
    """address of products"""
    products_connect_timeout: Seconds = 0.3
    """seconds to connect to products"""
    products_try_timeout: Seconds = 1.0
    """seconds for one attempt, including the connection"""
    products_deadline: Seconds = 2.5
    """seconds from the arrival of a request to the end of its last call to products, including retries and the wait for
    a thread; longer than `WEB_QUEUE_TIMEOUT`"""
    products_max_tries: int = Field(2, ge=1, le=5)
    """attempts of one call"""
    products_retry_budget: float = Field(0.1, ge=0, le=1)
    """retries, as a share of the calls"""
    products_breaker_failure_ratio: float = Field(0.5, gt=0, le=1)
    """share of failures that opens the breaker"""
    products_breaker_min_calls: int = Field(20, ge=1, le=10_000)
    """calls in the window before the breaker may open"""
    products_breaker_window: Seconds = 10.0
    """seconds that the breaker looks back"""
    products_breaker_open_for: Seconds = 5.0
    """seconds until an open breaker allows one trial"""
    order_lease: Seconds = 10.0
    """seconds that a request has to confirm or reject an order of tracked stock, before another request or
    `recover_orders` takes it over; longer than `PRODUCTS_DEADLINE`"""
    order_patience: Seconds = 60.0
    """seconds that an order in doubt waits for its client to retry with the same `Idempotency-Key`, before
    `recover_orders` resolves it"""

    orders_anonymous: bool = Field(
        default_factory=lambda data: data.get("django_env") != "production",
        json_schema_extra={"default": "`true` in development, `false` in production"},
    )
    """clients without an access token may place orders"""

    @field_validator("products_deadline", "order_lease")
    @classmethod
    def _refuse_one_that_ends_before_what_it_holds(cls, seconds: float, info: ValidationInfo) -> float:
        held = {"products_deadline": "web_queue_timeout", "order_lease": "products_deadline"}[str(info.field_name)]
        if seconds <= info.data.get(held, 0):
            raise ValueError(f"must be longer than {held.upper()}")
        return seconds
