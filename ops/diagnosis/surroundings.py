"""Probes of what the service talks to. The fields of its configuration say what that is:

`json_schema_extra={"probe": "/healthz", "contract": "GET /products/{id}"}` on a field that holds a URL. A field that
may be unset is telemetry's, which the service does without; any other names a peer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from ops.config.service import ServiceConfig
from ops.diagnosis.probe import NoAnswer, Probe, failure, ok
from ops.outbound.session import PeerSession
from ops.telemetry import tracing

TIMEOUT = 4.0  # seconds; less than a probe's deadline, so that the line says which one was silent
LARGEST_DOCUMENT = 1024 * 1024  # bytes
ANSWERS = "answers"
PEER, CONTRACT, TELEMETRY = "peer.healthy", "peer.contract", "telemetry.reachable"


def url_probe(probe_id: str, url: str, *, variable: str = "", hint: str = "", is_optional: bool = False) -> Probe:
    """Return a probe that GETs the URL."""
    ask = answers(partial(ask_url, url=url, timeout=TIMEOUT))
    return Probe(probe_id, ask, hint, variable=variable, is_optional=is_optional)


def peers(config: ServiceConfig) -> Iterator[Probe]:
    """Yield a probe of the health and of the contract of each service that this one cannot do without."""
    found = _probed_urls(config, is_optional=False)
    for variable, (url, health) in found.items():
        hint = f"Start the service at {url}, or correct {variable}; docs/operations/mend.md says what clients get."
        yield url_probe(PEER, f"{url}{health}", variable=variable, hint=hint)
    if not found:
        yield not_needed(PEER, "it calls no other service")
    contracts = {name.upper(): str(extra["contract"]) for name, extra in extras(config) if "contract" in extra}
    for variable, operation in contracts.items():
        url = getattr(config, variable.lower())
        ask = partial(_has_operation, url=url, operation=operation, variable=variable)
        yield Probe(CONTRACT, ask, "Look at the peer's /openapi.json.", PEER)
    if not contracts:
        yield not_needed(CONTRACT, "it calls no other service")


def declared(config: ServiceConfig) -> Iterator[Probe]:
    """Yield the probes of packages that the service uses: a field's `probes` names the function that makes them."""
    for _, extra in extras(config):
        if "probes" in extra:
            yield from import_string(str(extra["probes"]))(config)


def telemetry(config: ServiceConfig) -> Iterator[Probe]:
    """Yield a probe of each collector of traces and of commands' metrics."""
    hint = "Start the collector, or correct the variable; what is sent is lost."
    found = [
        url_probe(TELEMETRY, f"{url}{health}", variable=variable, hint=hint, is_optional=True)
        for variable, (url, health) in _probed_urls(config, is_optional=True).items()
    ]
    if (endpoint := tracing.endpoint(config)) is not None:
        ask = answers(partial(ask_collector, endpoint=endpoint, timeout=TIMEOUT))
        found.append(Probe(TELEMETRY, ask, hint, variable="JAEGER_ENDPOINT", is_optional=True))
    yield from found or [not_needed(TELEMETRY, "off: JAEGER_ENDPOINT and PUSHGATEWAY_URL are unset")]


def answers(ask: Callable[[ServiceConfig], None]) -> Callable[[ServiceConfig], list[CheckMessage]]:
    """Return a probe's question that is answered unless `ask` raises."""

    def answered(config: ServiceConfig) -> list[CheckMessage]:
        ask(config)
        return [ok(ANSWERS)]

    return answered


def not_needed(probe_id: str, message: str) -> Probe:
    """Return a probe that has nothing to ask, and says why."""
    return Probe(probe_id, lambda _config: [ok(message)], "")


def extras(config: ServiceConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each field that says more of itself, and what it says."""
    for name, field in type(config).model_fields.items():
        if isinstance(field.json_schema_extra, dict):
            yield name, field.json_schema_extra


def _probed_urls(config: ServiceConfig, *, is_optional: bool) -> dict[str, tuple[str, str]]:
    """Map each variable that holds a URL to the URL and the path of its health check."""
    fields = type(config).model_fields
    return {
        name.upper(): (getattr(config, name), str(extra["probe"]))
        for name, extra in extras(config)
        if "probe" in extra and getattr(config, name) is not None and (fields[name].default is None) is is_optional
    }


def _has_operation(config: ServiceConfig, *, url: str, operation: str, variable: str) -> list[CheckMessage]:
    document = _openapi_document(config, url=f"{url}/openapi.json", timeout=TIMEOUT)
    info = document.get("info") or {}
    message = f"{variable}: {info.get('title')} {info.get('version')}"
    if _bare(operation) in _operations(document):
        return [ok(f"{message} has {operation}")]
    return [failure(f"{message} has no {operation}", f"Deploy a release that has it, or correct {variable}.")]


def ask_url(config: ServiceConfig, *, url: str, timeout: float) -> None:
    """GET the URL as the services call each other; raise NoAnswer for 400 and above."""
    with PeerSession(config, max_bytes=LARGEST_DOCUMENT) as session:
        status = session.get(url, timeout=timeout).status_code
    if status >= 400:
        raise NoAnswer(f"answers {status}")


def ask_collector(config: ServiceConfig, *, endpoint: str, timeout: float) -> None:
    """Send the collector an empty batch, with the headers and certificates that spans are sent with."""
    from ops.telemetry.span_export import Collector, OtlpExporter  # noqa: PLC0415 - the SDK is loaded only to trace

    exporter = OtlpExporter(Collector.from_environment(endpoint))
    status = exporter.post(b"", timeout)
    exporter.shutdown()
    if status >= 400:
        raise NoAnswer(f"answers {status}")


def _openapi_document(config: ServiceConfig, *, url: str, timeout: float) -> dict[str, Any]:
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


def _operations(document: Mapping[str, Any]) -> set[str]:
    paths: dict[str, Any] = document["paths"]
    return {_bare(f"{method.upper()} {path}") for path, item in paths.items() for method in item}


def _bare(operation: str) -> str:
    """Return the operation without the names of its parameters, which do not show on the wire."""
    return re.sub(r"\{[^}]*\}", "{}", operation)
