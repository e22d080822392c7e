"""Traces go to the configured endpoint; without one, nothing is instrumented."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ops.config.service import ROOT
from ops.telemetry import metrics, tracing
from ops.tests.peers import refused
from ops.tests.raw_peer import ANSWER, RawPeer, raw_peer
from ops.tests.settings import PlainConfig

ENDPOINT = "http://127.0.0.1:9/v1/traces"
VARIABLES = (
    *("JAEGER_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    *("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"),
)


@pytest.mark.parametrize(
    ("environ", "configured"),
    [
        ({}, False),
        ({"JAEGER_ENDPOINT": ENDPOINT}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ENDPOINT}, True),
        ({"JAEGER_ENDPOINT": ENDPOINT, "OTEL_SDK_DISABLED": "true"}, False),
        ({"JAEGER_ENDPOINT": ENDPOINT, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"JAEGER_ENDPOINT": ENDPOINT, "OTEL_SDK_DISABLED": "false"}, True),
        ({"JAEGER_ENDPOINT": ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_tracing_is_on_where_an_endpoint_is_named_and_nothing_forbids_it(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], configured: bool
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert tracing.is_configured(PlainConfig.load()) is configured


# A process of its own: a tracer provider and instrumentations cannot be taken back.
PROGRAM = """
import json, sys
from django.conf import settings
from ops.telemetry import tracing
tracing.start_tracing(settings.CONFIG)
from opentelemetry import trace
provider = trace.get_tracer_provider()
found = {
    "middleware": settings.MIDDLEWARE,
    "instrumented": sorted(m for m in sys.modules if m.startswith("opentelemetry.instrumentation.")),
    "provider": type(provider).__name__,
}
if hasattr(provider, "_active_span_processor"):
    exporter = provider._active_span_processor._span_processors[0]._batch_processor._exporter
    found |= {
        "endpoint": exporter._endpoint,
        "timeout": exporter._client._timeout,
        "resource": dict(provider.resource.attributes),
    }
print(json.dumps(found))
"""


def started(program: str = PROGRAM, **environ: str) -> dict[str, Any]:
    """Return the result of start_tracing in a process with this environment."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "ops.tests.settings", "PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_without_an_endpoint_nothing_is_instrumented() -> None:
    found = started()

    assert not any("opentelemetry" in middleware for middleware in found["middleware"])
    assert not [
        name for name in found["instrumented"] if name.endswith((".django", ".requests", ".psycopg", ".sqlite3"))
    ]
    assert found["provider"] == "ProxyTracerProvider"


def test_its_middleware_stands_behind_the_one_that_answers_probes() -> None:
    found = started(JAEGER_ENDPOINT=ENDPOINT)

    assert found["middleware"][0] == "ops.server.middleware.RequestMiddleware"
    assert found["middleware"][1] == "ops.telemetry.server_span.ServerSpanMiddleware"


def test_jaeger_endpoint_comes_before_the_standard_variables() -> None:
    found = started(JAEGER_ENDPOINT=ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:10")

    assert found["endpoint"] == ENDPOINT


def test_the_standard_variables_work_too() -> None:
    found = started(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:10",
        OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="4",
        OTEL_SERVICE_NAME="renamed",
        OTEL_RESOURCE_ATTRIBUTES="team=shop",
    )

    assert found["endpoint"] == "http://127.0.0.1:10/v1/traces"
    assert found["timeout"] == 4
    assert found["resource"]["service.name"] == "renamed"
    assert found["resource"]["team"] == "shop"


def test_a_batch_may_take_a_second_unless_the_environment_says_otherwise() -> None:
    assert started(JAEGER_ENDPOINT=ENDPOINT)["timeout"] == tracing.EXPORT_TIMEOUT == 1.0
    assert started(JAEGER_ENDPOINT=ENDPOINT, OTEL_EXPORTER_OTLP_TIMEOUT="3")["timeout"] == 3


def test_spans_go_past_any_proxy_with_the_collectors_own_token(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    netrc.chmod(0o600)
    program = f"{PROGRAM}\nwith tracing.command_span('test'): pass\nprovider.force_flush()"

    def accept(peer: RawPeer, sock: socket.socket) -> None:
        peer.requests.append(sock.recv(65_536))
        sock.sendall(ANSWER)

    with raw_peer(accept) as collector:
        started(
            program,
            NETRC=str(netrc),
            http_proxy=refused(),
            JAEGER_ENDPOINT=f"{collector.url()}v1/traces",
            OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20token",
        )

    assert collector.requests[0].startswith(b"POST /v1/traces HTTP/1.1\r\n")
    assert b"\r\nauthorization: bearer token\r\n" in collector.requests[0].lower()


def test_spans_that_the_collector_does_not_take_are_counted() -> None:
    exporter = tracing.CountingExporter(endpoint=ENDPOINT, timeout=0.2)  # a closed port
    before = metrics.telemetry_spans_dropped_total._value.get()

    exporter.export([ReadableSpan("one"), ReadableSpan("two")])

    assert metrics.telemetry_spans_dropped_total._value.get() == before + 2


def test_a_span_that_a_full_queue_pushes_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "2")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    release = threading.Event()

    class Slow(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            release.wait(30)
            return super().export(spans)

    processor = tracing.BoundedBatchSpanProcessor(Slow())
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("test")
    before = metrics.telemetry_spans_dropped_total._value.get()

    for number in range(6):  # two are being sent, two wait, and two of those that waited are lost, at the least
        tracer.start_span(str(number)).end()
    release.set()
    processor.shutdown()

    assert metrics.telemetry_spans_dropped_total._value.get() >= before + 2
