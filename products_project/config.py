"""The configuration of products."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from events.config import EventsConfig
from ops.config.service import Port, database_default


class ProductsConfig(EventsConfig):
    """Only defaults: products calls no other service."""

    service: ClassVar[str] = "products-service"

    port: Port = 3001
    database_url: SecretStr = database_default("var/products.sqlite3")
