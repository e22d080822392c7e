"""Traces go where the environment says, or nowhere, and then nothing is instrumented."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.config.service import ROOT
from ops.telemetry import example_span, span_encoding, tracing
from ops.telemetry.otel_environment import EXPORT_TIMEOUT
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
import json, os, sys
from importlib import import_module
from django.conf import settings
if "RENAME" in os.environ:
    import opentelemetry.exporter.otlp.proto.http.trace_exporter
    path, name = os.environ["RENAME"].rsplit(".", 1)
    delattr(import_module(path), name)
from ops.telemetry import tracing
tracing.start_tracing(settings.CONFIG)
import django
django.setup()
from opentelemetry import trace
provider = trace.get_tracer_provider()
found = {
    "middleware": settings.MIDDLEWARE,
    "instrumented": sorted(m for m in sys.modules if m.startswith("opentelemetry.instrumentation.")),
    "provider": type(provider).__name__,
}
if processors := getattr(provider, "processors", ()):
    collector = processors[0].exporter.collector
    found |= {
        "endpoint": collector.endpoint,
        "timeout": collector.timeout,
        "headers": dict(collector.headers),
        "resource": dict(provider.resource.attributes),
    }
print(json.dumps(found))
"""


def started(program: str = PROGRAM, **environ: str) -> dict[str, Any]:
    """Return the result of start_tracing in a process with this environment."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "ops.tests.settings", "PYTHONPATH": str(ROOT), "LOG_FORMAT": "json"} | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *lines, last = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(last)
    return found | {"lines": [json.loads(line) for line in lines]}


def test_without_an_endpoint_nothing_is_instrumented() -> None:
    found = started()

    assert not any("opentelemetry" in middleware for middleware in found["middleware"])
    assert not [
        name for name in found["instrumented"] if name.endswith((".django", ".requests", ".psycopg", ".sqlite3"))
    ]
    assert found["provider"] == "ProxyTracerProvider"


def test_tracing_is_by_lean_spans_and_patches_neither_django_nor_a_database() -> None:
    found = started(JAEGER_ENDPOINT=ENDPOINT)

    assert found["provider"] == "LeanTracerProvider"
    assert not [name for name in found["instrumented"] if name.endswith((".django", ".psycopg", ".sqlite3"))]


def test_a_limit_that_lean_spans_do_not_have_is_left_to_the_sdk() -> None:
    found = started(JAEGER_ENDPOINT=ENDPOINT, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="5")

    assert found["provider"] == "TracerProvider"
    assert [line["reason"] for line in found["lines"] if line["event"] == "telemetry.stock"] == [
        "lean spans have the default limits, not OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"
    ]


# Renames what lean spans use of the SDK, as its next version might, behind the back of the SDK itself.
RENAMED = (
    "opentelemetry.sdk.trace.Event",
    "opentelemetry.sdk.util.instrumentation.InstrumentationScope",
    "opentelemetry.util.re.parse_env_headers",
    "opentelemetry.proto.trace.v1.trace_pb2.ResourceSpans",
    "opentelemetry.exporter.otlp.proto.common.trace_encoder.encode_spans",
)


@pytest.mark.parametrize("name", RENAMED)
def test_a_name_that_the_sdk_no_longer_has_leaves_tracing_to_the_sdk_with_a_warning(name: str) -> None:
    found = started(JAEGER_ENDPOINT=ENDPOINT, RENAME=name)

    (line,) = [line for line in found["lines"] if line["event"] == "telemetry.stock"]
    assert line["level"] == "warning"
    assert name.rsplit(".", 1)[-1] in line["reason"]
    assert found["provider"] != "LeanTracerProvider"


def test_another_message_than_the_sdks_leaves_tracing_to_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not example_span.differs()

    monkeypatch.setattr(span_encoding, "FLAGS", b"")

    assert example_span.differs()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_PROPAGATORS", "b3"), ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "abc"), ("OTEL_BSP_SCHEDULE_DELAY", "-1")],
)
def test_a_faulty_variable_is_named_and_has_no_effect(variable: str, value: str) -> None:
    found = started(JAEGER_ENDPOINT=ENDPOINT, **{variable: value})

    (line,) = [line for line in found["lines"] if line["event"] == "telemetry.variable_ignored"]
    assert line["variable"] == variable
    assert found["provider"] == "LeanTracerProvider"


def test_without_tracing_a_faulty_variable_is_not_even_named() -> None:
    found = started(OTEL_PROPAGATORS="b3", OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="abc")

    assert found["lines"] == []


def test_an_endpoint_that_is_none_is_named_though_it_means_no_tracing() -> None:
    found = started(OTEL_EXPORTER_OTLP_ENDPOINT="localhost:4318")

    (line,) = found["lines"]
    assert (line["variable"], line["problem"]) == ("OTEL_EXPORTER_OTLP_ENDPOINT", "must be a URL of http or https")


def test_jaeger_endpoint_comes_before_the_standard_variables() -> None:
    found = started(JAEGER_ENDPOINT=ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:10")

    assert found["endpoint"] == ENDPOINT


def test_the_standard_variables_work_too() -> None:
    found = started(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:10",
        OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="4",
        OTEL_SERVICE_NAME="renamed",
        OTEL_RESOURCE_ATTRIBUTES="team=shop",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20abc",
    )

    assert found["endpoint"] == "http://127.0.0.1:10/v1/traces"
    assert found["timeout"] == 4
    assert found["headers"] == {"authorization": "Bearer abc"}
    assert found["resource"]["service.name"] == "renamed"
    assert found["resource"]["team"] == "shop"


def test_a_batch_may_take_a_second_unless_the_environment_says_otherwise() -> None:
    assert started(JAEGER_ENDPOINT=ENDPOINT)["timeout"] == EXPORT_TIMEOUT == 1.0
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
