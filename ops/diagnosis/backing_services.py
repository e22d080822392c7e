"""Try what a service needs from its surroundings, each within a deadline: for check_config, doctor and wait_for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import requests
from django.db import connections
from kombu import Connection
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from ops.config.report import masked
from ops.config.service import ServiceConfig
from ops.diagnosis.at_once import at_once
from ops.telemetry import tracing

Ask = Callable[[], None]  # returns if it answered; raises with the reason if not
ANSWERS = "answers"
NOT_THIS_WAY = 405  # the right address, which takes POST only


class NoAnswer(Exception):
    """Say in one line why something is no use."""


def backing_services(config: ServiceConfig, *, deadline: float) -> dict[str, Ask]:
    """Map each variable that names a backing service to what tries it.

    A field says by `json_schema_extra={"probe": "/path"}` that it holds the URL of a service whose probe is there.
    """
    asks: dict[str, Ask] = {"DATABASE_URL": ask_database}
    for name, field in type(config).model_fields.items():
        if isinstance(field.json_schema_extra, dict) and (probe := field.json_schema_extra.get("probe")):
            if getattr(config, name) is None:
                continue
            asks[name.upper()] = partial(ask_url, f"{getattr(config, name)}{probe}", timeout=deadline)
    if config.events_url is not None:
        asks["EVENTS_URL"] = partial(ask_events, config, timeout=deadline)
    if (endpoint := tracing.endpoint(config)) is not None:
        asks["JAEGER_ENDPOINT"] = partial(ask_collector, endpoint, timeout=deadline)
    return asks


def ask_database() -> None:
    """Ask the database for one row, over a connection of this thread's own."""
    connection = connections["default"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def ask_url(url: str, *, timeout: float) -> None:
    """GET the URL, without a proxy, as the services talk to each other; refuse 400 and above."""
    with requests.Session() as session:
        session.trust_env = False
        with session.get(url, timeout=timeout, stream=True) as response:
            if response.status_code >= 400:
                raise NoAnswer(f"answers {response.status_code}")


def ask_events(config: ServiceConfig, *, timeout: float) -> None:
    """Log in where events go to: to RabbitMQ, or by a GET with the service token, which sends no event."""
    assert config.events_url is not None  # noqa: S101 - the caller has looked
    url = config.events_url.get_secret_value()
    if not url.startswith("http"):
        options = {"read_timeout": timeout, "write_timeout": timeout}
        with Connection(url, connect_timeout=timeout, transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, reraise_as_library_errors=False)
        return
    with requests.Session() as session:
        session.trust_env = False
        token = {"Authorization": f"Bearer {config.service_token.get_secret_value()}"}
        with session.get(url, headers=token, timeout=timeout, stream=True, allow_redirects=False) as response:
            if response.status_code >= 300 and response.status_code != NOT_THIS_WAY:
                raise NoAnswer(f"answers {response.status_code}")


def ask_collector(endpoint: str, *, timeout: float) -> None:
    """Send the collector an empty batch, with the headers and certificates that spans are sent with."""
    with _Witness() as session:
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=timeout, session=session)
        if exporter.export(()) is not SpanExportResult.SUCCESS:
            raise NoAnswer(session.saw)


class _Witness(requests.Session):
    """Remember how the last request ended, which the exporter only logs."""

    saw: str = "takes no spans"

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        try:
            response = super().send(request, **kwargs)
        except requests.RequestException as error:
            self.saw = reason(error)
            raise
        self.saw = f"answers {response.status_code}"
        return response


def verdicts(asks: Mapping[str, Ask], *, deadline: float) -> dict[str, str]:
    """Ask all at once; return for each `answers`, or in one line why not, after the deadline at the latest."""
    answers = at_once({name: (ask, deadline) for name, ask in asks.items()})
    return {name: ANSWERS if answer is None else reason(answer) for name, answer in answers.items()}


def reason(error: BaseException) -> str:
    """Return in one short line why something failed: the system's own words, where libraries wrapped them."""
    if isinstance(error, requests.Timeout | TimeoutError):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__context__
    text = " ".join(str(error).split()).partition(" Is the server running")[0]  # libpq's advice
    return masked(text[:300]) or type(error).__name__
