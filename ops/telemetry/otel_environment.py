"""OpenTelemetry's own variables (OTEL_*): a faulty one costs its effect, never the service.

Some stop the process while a library is imported, even where nothing is traced. `ops.telemetry` takes the faulty ones
away before that, so that the defaults hold; `check_config` and one log line name them.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

EXPORT_TIMEOUT = 1.0  # seconds for one batch; a slow collector costs spans, never requests or the shutdown
QUEUE = 2048  # spans
BATCH = 256  # spans; while they are encoded, each request of that moment waits, with the library's 512 twice as long
ROOT_SAMPLERS = ("always_on", "always_off", "traceidratio")
SAMPLERS = (*ROOT_SAMPLERS, *(f"parentbased_{name}" for name in ROOT_SAMPLERS))


class Fault(NamedTuple):
    """A variable whose value cannot be used; `problem` does not repeat the value, which may be a secret."""

    variable: str
    problem: str


def option(name: str) -> str | None:
    """Return OTEL_EXPORTER_OTLP_TRACES_<name>, or what holds for all signals."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") or None


def queue_size() -> int:
    """Return how many spans may wait for the collector."""
    return int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") or QUEUE)


def batch_size() -> int:
    """Return how many spans are sent at once: never more than may wait."""
    return min(int(os.environ.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") or BATCH), queue_size())


def _number(kind: Callable[[str], float], least: float, most: float = float("inf")) -> Callable[[str], str | None]:
    what = "a whole number" if kind is int else "a number"

    def problem(value: str) -> str | None:
        try:
            is_fine = least <= kind(value) <= most
        except ValueError:
            is_fine = False
        limit = f"from {least:g} to {most:g}" if most < float("inf") else f"of at least {least:g}"
        return None if is_fine else f"must be {what} {limit}"

    return problem


def _one_of(*names: str) -> Callable[[str], str | None]:
    return lambda value: None if value.strip().lower() in names else f"must be one of {', '.join(names)}"


def _url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    return None if is_fine else "must be a URL of http or https"


def _file(value: str) -> str | None:
    return None if os.access(value, os.R_OK) and Path(value).is_file() else "must be a file that can be read"


def _pairs(value: str) -> str | None:
    members = [member for member in value.split(",") if member.strip()]
    is_fine = all(re.match(r"\s*[^=\s]+\s*=", member) for member in members)
    return None if is_fine else "must be a list such as name=value,name=value"


def _never(value: str) -> str | None:
    return "has no effect: a service brings its own"


def _installed(group: str, *known: str) -> Callable[[str], str | None]:
    def problem(value: str) -> str | None:
        names = [name.strip() for name in value.split(",")]
        installed = {entry.name for entry in entry_points(group=group)} | set(known)
        missing = [name for name in names if name not in installed]
        return f"names what is not installed; there is {', '.join(sorted(installed))}" if missing else None

    return problem


LIMIT = re.compile(r"OTEL_(\w+_)?(COUNT|LENGTH)_LIMIT")
EXPORTER = re.compile(r"OTEL_EXPORTER_OTLP_(TRACES_)?(\w+)")
EXPORTER_RULES: dict[str, Callable[[str], str | None]] = {
    "ENDPOINT": _url,
    "TIMEOUT": _number(float, 0.001),
    "COMPRESSION": _one_of("none", "gzip", "deflate"),
    "HEADERS": _pairs,
    "CERTIFICATE": _file,
    "CLIENT_CERTIFICATE": _file,
    "CLIENT_KEY": _file,
}
RULES: dict[str, Callable[[str], str | None]] = {
    "OTEL_PROPAGATORS": _installed("opentelemetry_propagator", "none"),
    "OTEL_PYTHON_TRACER_PROVIDER": _never,
    "OTEL_PYTHON_METER_PROVIDER": _never,
    "OTEL_PYTHON_CONTEXT": _installed("opentelemetry_context"),
    "OTEL_PYTHON_ID_GENERATOR": _installed("opentelemetry_id_generator"),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": _installed("opentelemetry_resource_detector", "*"),
    "OTEL_BSP_MAX_QUEUE_SIZE": _number(int, 1),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": _number(int, 1),
    "OTEL_BSP_SCHEDULE_DELAY": _number(int, 1),
    "OTEL_BSP_EXPORT_TIMEOUT": _number(int, 1),
    "OTEL_TRACES_SAMPLER": _one_of(*SAMPLERS),
    "OTEL_TRACES_SAMPLER_ARG": _number(float, 0, 1),
    "OTEL_TRACES_EXPORTER": _one_of("otlp", "none"),
    "OTEL_RESOURCE_ATTRIBUTES": _pairs,
    "OTEL_SDK_DISABLED": _one_of("true", "false"),
}


def judge(environ: Mapping[str, str]) -> Iterator[Fault]:
    """Yield what is wrong with the OTEL_* variables; an empty one counts as unset."""
    for variable, value in sorted(environ.items()):
        rule = RULES.get(variable)
        if match := EXPORTER.fullmatch(variable):
            rule = EXPORTER_RULES.get(match[2])
        elif LIMIT.fullmatch(variable):
            rule = _number(int, 0)
        if rule and value.strip() and (problem := rule(value)):
            yield Fault(variable, problem)


def remove_faulty(environ: MutableMapping[str, str]) -> list[Fault]:
    """Take the faulty variables away, so that the libraries use their defaults; return what was wrong."""
    found = list(judge(environ))
    for fault in found:
        del environ[fault.variable]
    return found
