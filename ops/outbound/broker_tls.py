"""TLS to a message broker, with the same authorities and certificate as to any other peer."""

from __future__ import annotations

import ssl
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from ops.config.service import ServiceConfig


def broker_tls(config: ServiceConfig, url: str) -> dict[str, Any] | bool:
    """Return what kombu's `ssl` takes for this URL. Its default for `amqps://` checks no host name."""
    if not url.startswith("amqps:"):
        return False
    return {
        "ca_certs": config.peer_ca_bundle or DEFAULT_CA_BUNDLE_PATH,
        "certfile": config.peer_client_certificate,
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": None,  # kombu fills in the host of the URL
    }
