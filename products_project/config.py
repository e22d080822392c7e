"""The configuration of products."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from events.config import EventsConfig
from ops.config.service import ServiceConfig, database_default


class ProductsConfig(EventsConfig):
    """Only defaults: products calls no other service."""

    service: ClassVar[str] = "products-service"

    port: int = Field(3001, ge=1, le=65535, description=ServiceConfig.model_fields["port"].description)
    database_url: SecretStr = database_default("var/products.sqlite3")
