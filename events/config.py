"""The variables of a service that sends or receives events."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from ops.config.service import Seconds, ServiceConfig
from ops.config.validators import http_url, is_weak_password


class EventsConfig(ServiceConfig):
    """Add where events go to and come from, and how often each is tried."""

    events_url: SecretStr | None = Field(
        None, json_schema_extra={"default": "unset: events wait in the outbox", "probes": "events.reachable.probes"}
    )
    """where events go to and come from: `https://host/events` (POST) or `amqp://user:password@host:5672/vhost`
    (RabbitMQ; `amqps://` with TLS); a secret because of its password"""
    events_receiver: str = Field("products-service", min_length=1, max_length=100)
    """name of the service that `EVENTS_URL` reaches over HTTP, which alone accepts the tokens that are sent there"""
    events_exchange: str = Field("argos.events", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    """RabbitMQ's exchange of events, with which the names of its queues begin"""
    events_timeout: Seconds = 5.0
    """seconds to connect to EVENTS_URL, and for each answer from there"""
    events_max_attempts: int = Field(20, ge=1, le=1000)
    """failed tries of one event, to send it or to take it, after which it is a dead letter"""

    @field_validator("events_url")
    @classmethod
    def _refuse_an_unusable_transport(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is None:
            return None
        transport, password = _transport(url.get_secret_value())
        if info.data.get("django_env") == "production" and is_weak_password(password):
            raise ValueError("has a placeholder for a password, which production refuses")
        return SecretStr(transport)


def _transport(url: str) -> tuple[str, str]:
    """Accept what EVENTS_URL may be; return it, with the password that it carries."""
    if url.startswith(("http://", "https://")):
        return http_url(url), ""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("amqp", "amqps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("must be an http://, https://, amqp:// or amqps:// URL with a host")
    return f"{parts.scheme}{url[len(parts.scheme) :]}", unquote(parts.password or "")  # the scheme in lower case
