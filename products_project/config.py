"""The configuration of products."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from events.config import EventsConfig
from ops.config.service import ROOT, ServiceConfig


class ProductsConfig(EventsConfig):
    """Only defaults: products calls no other service."""

    service: ClassVar[str] = "products-service"

    port: int = Field(3001, ge=1, le=65535, description=ServiceConfig.model_fields["port"].description)
    database_url: SecretStr = Field(
        SecretStr(f"sqlite:///{ROOT}/var/products.sqlite3"),
        description=ServiceConfig.model_fields["database_url"].description,
        json_schema_extra={"default": "sqlite:///var/products.sqlite3"},
    )
