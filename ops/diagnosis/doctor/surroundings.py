"""Checks of what the service talks to. The fields of its configuration say what that is:

`json_schema_extra={"probe": "/healthz", "contract": "GET /products/{id}"}` on a field that holds a URL. A field that
may be unset is telemetry's, which the service does without; any other names a peer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from ops.config.service import ServiceConfig
from ops.diagnosis.backing_services import ANSWERS, Ask, NoAnswer, backing_services, verdicts
from ops.diagnosis.doctor.findings import Finding, failure, ok, warning

TIMEOUT = 4.0  # seconds; less than the check's deadline, so that the line says which one was silent
EVENTS = "EVENTS_URL"
LARGEST_DOCUMENT = 1024 * 1024  # bytes


def peers_healthy(config: ServiceConfig) -> Iterator[Finding]:
    """Ask every service that this one cannot do without for its health."""
    asks = _asks(config, optional=False)
    for name, verdict in verdicts(asks, deadline=TIMEOUT).items():
        says = f"{name} {getattr(config, name.lower())}: {verdict}"
        if verdict == ANSWERS:
            yield ok(says)
        else:
            yield failure(
                says, f"Start that service, or correct {name}; clients get what docs/operations/mend.md says."
            )
    if not asks:
        yield ok("it calls no other service")


def telemetry(config: ServiceConfig) -> Iterator[Finding]:
    """Try the collectors of traces and of commands' metrics."""
    asks = _asks(config, optional=True)
    for name, verdict in verdicts(asks, deadline=TIMEOUT).items():
        if verdict == ANSWERS:
            yield ok(f"{name}: {verdict}")
        else:
            yield warning(f"{name}: {verdict}", "Start the collector, or correct the variable; what is sent is lost.")
    if not asks:
        yield ok("off: JAEGER_ENDPOINT and PUSHGATEWAY_URL are unset")


def events(config: ServiceConfig) -> Iterator[Finding]:
    """Try where events go to and come from."""
    ask = backing_services(config, deadline=TIMEOUT).get(EVENTS)
    if ask is None:
        yield ok("off: EVENTS_URL is unset")
        return
    verdict = verdicts({EVENTS: ask}, deadline=TIMEOUT)[EVENTS]
    if verdict == ANSWERS:
        yield ok(f"{EVENTS}: {verdict}")
    else:
        yield warning(
            f"{EVENTS}: {verdict}", "Start what it names, or correct it; meanwhile events wait in the outbox."
        )


def peers_contract(config: ServiceConfig) -> Iterator[Finding]:
    """Look in each peer's OpenAPI document for the operation that this service calls."""
    called = {
        name: str(extra["contract"])
        for name, field in type(config).model_fields.items()
        if isinstance(extra := field.json_schema_extra, dict) and "contract" in extra
    }
    for name, operation in called.items():
        document = _openapi(f"{getattr(config, name)}/openapi.json")
        info = document.get("info") or {}
        says = f"{name.upper()}: {info.get('title')} {info.get('version')}"
        if _bare(operation) in _operations(document):
            yield ok(f"{says} has {operation}")
        else:
            yield failure(f"{says} has no {operation}", f"Deploy a release that has it, or correct {name.upper()}.")
    if not called:
        yield ok("it calls no other service")


def _asks(config: ServiceConfig, *, optional: bool) -> dict[str, Ask]:
    """Return what to ask, without the database and the events, which have checks of their own."""
    fields = type(config).model_fields
    asks = backing_services(config, deadline=TIMEOUT)
    return {
        name: ask
        for name, ask in asks.items()
        if name not in ("DATABASE_URL", EVENTS) and (fields[name.lower()].default is None) is optional
    }


def _openapi(url: str) -> dict[str, Any]:
    with requests.Session() as session:
        session.trust_env = False
        with session.get(url, timeout=TIMEOUT, stream=True) as response:
            if response.status_code != 200:
                raise NoAnswer(f"{url} answers {response.status_code}")
            body = response.raw.read(LARGEST_DOCUMENT, decode_content=True)
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise NoAnswer(f"{url} answers no OpenAPI document")
    return document


def _operations(document: Mapping[str, Any]) -> set[str]:
    paths: dict[str, Any] = document["paths"]
    return {_bare(f"{method.upper()} {path}") for path, item in paths.items() for method in item}


def _bare(operation: str) -> str:
    """Return the operation without the names of its parameters, which the wire does not show."""
    return re.sub(r"\{[^}]*\}", "{}", operation)
