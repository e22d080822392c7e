"""OpenTelemetry's variables are judged before its libraries read them, and none stops a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import opentelemetry.environment_variables
import opentelemetry.sdk.environment_variables
import pytest

from ops.config.service import ROOT
from ops.telemetry.otel_environment import batch_size, judge, remove_faulty


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_PROPAGATORS", "tracecontext, baggage"),
        ("OTEL_PROPAGATORS", "none"),
        ("OTEL_PROPAGATORS", ""),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318/"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic dXNlcjpwYXNz==,x-team=shop"),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", __file__),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=shop,host.name=a b"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "nonsense of a signal that is not used"),
    ],
)
def test_what_is_sound_stays(variable: str, value: str) -> None:
    environ = {variable: value}

    assert remove_faulty(environ) == []
    assert environ == {variable: value}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_PROPAGATORS", "tracecontext,nonsense"),
        ("OTEL_PYTHON_CONTEXT", "nonsense"),
        ("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1.5"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "abc"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[::1/"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ],
)
def test_what_is_faulty_is_named_without_its_value_and_taken_away(variable: str, value: str) -> None:
    environ = {variable: value}

    (fault,) = remove_faulty(environ)

    assert fault.variable == variable
    assert value not in fault.problem
    assert environ == {}


def test_a_batch_is_never_larger_than_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")

    assert batch_size() == 100


def all_variables() -> list[str]:
    """Return every variable that the API and the SDK know, but those that switch all off."""
    modules = (opentelemetry.environment_variables, opentelemetry.sdk.environment_variables)
    names = {str(value) for module in modules for name, value in vars(module).items() if name.startswith("OTEL_")}
    return sorted(names)


def test_no_value_of_any_variable_stops_a_process(tmp_path: Path) -> None:
    program = (
        "import django\ndjango.setup()\nfrom django.conf import settings\nfrom ops.telemetry import tracing\n"
        "from events import tracing as _\ntracing.start_tracing(settings.CONFIG)\n"
        "with tracing.command_span('example'): pass\nprint('served')"
    )
    garbage = dict.fromkeys(all_variables(), "%% no, such; value")
    assert len(garbage) > 40
    assert list(judge(garbage))
    for more in ({}, {"JAEGER_ENDPOINT": "http://127.0.0.1:9/v1/traces"}):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "ops.tests.settings"} | garbage | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "served" in done.stdout.splitlines()
