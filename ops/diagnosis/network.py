"""Ask the services that this one talks to, each within a time-out."""

from __future__ import annotations

import json
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from ops.config.service import ServiceConfig
from ops.diagnosis.probe import NoAnswer, reason
from ops.outbound.session import PeerSession

LARGEST_DOCUMENT = 1024 * 1024  # bytes


def ask_url(config: ServiceConfig, *, url: str, timeout: float) -> None:
    """GET the URL as the services call each other; raise NoAnswer for 400 and above."""
    with PeerSession(config, max_bytes=LARGEST_DOCUMENT) as session:
        status = session.get(url, timeout=timeout).status_code
    if status >= 400:
        raise NoAnswer(f"answers {status}")


def ask_collector(config: ServiceConfig, *, endpoint: str, timeout: float) -> None:
    """Send the collector an empty batch, with the headers and certificates that spans are sent with."""
    with _RecordingSession(config, traced=False) as session:
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=timeout, session=session)
        if exporter.export(()) is not SpanExportResult.SUCCESS:
            raise NoAnswer(session.outcome)


def openapi_document(config: ServiceConfig, *, url: str, timeout: float) -> dict[str, Any]:
    """Return the OpenAPI document at the URL; raise NoAnswer where there is none."""
    with PeerSession(config, max_bytes=LARGEST_DOCUMENT) as session:
        response = session.get(url, timeout=timeout)
    if response.status_code != 200:
        raise NoAnswer(f"{url} answers {response.status_code}")
    try:
        document = json.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise NoAnswer(f"{url} answers no OpenAPI document")
    return document


class _RecordingSession(PeerSession):
    """Remember how the last request ended, which the exporter only logs."""

    outcome: str = "takes no spans"

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        try:
            response = super().send(request, **kwargs)
        except requests.RequestException as error:
            self.outcome = reason(error)
            raise
        self.outcome = f"answers {response.status_code}"
        return response
