"""The metrics of every service, and /metrics.

Names and labels are an API: dashboards and alerts depend on them. With several worker processes, gunicorn's
configuration sets PROMETHEUS_MULTIPROC_DIR before this module is imported. `prometheus_client` then keeps the values in
files, without exemplars.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    exposition,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ops.config import role
from ops.config.role import Role
from ops.config.service import ServiceConfig
from ops.telemetry import metrics_files

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which multi-process mode lacks anyway

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
CALL_BUCKETS = tuple(sorted({*DURATION_BUCKETS, 0.15}))  # the objective of calls, docs/slo.md
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
UNMATCHED = "unmatched"

http_requests_total = Counter("http_requests_total", "Requests answered.", ["method", "route", "status"])
http_request_duration_seconds = Histogram(
    "http_request_duration_seconds",
    "Time from a request's arrival to its answer.",
    ["method", "route"],
    buckets=DURATION_BUCKETS,
)
http_client_requests_total = Counter(
    "http_client_requests_total", "Attempts of outbound HTTP calls, by outcome.", ["peer", "outcome"]
)
http_client_request_duration_seconds = Histogram(
    "http_client_request_duration_seconds",
    "Time of one attempt of an outbound HTTP call.",
    ["peer"],
    buckets=CALL_BUCKETS,
)
http_client_retries_refused_total = Counter(
    "http_client_retries_refused_total", "Retries not made, as the retry budget was spent.", ["peer"]
)
circuit_breaker_state = Gauge(
    "circuit_breaker_state",
    "0 closed, 1 half open, 2 open; with several processes, the worst one.",
    ["peer"],
    multiprocess_mode="livemax",
)
argos_build_info = Gauge(
    "argos_build_info",
    "Always 1; its labels are the running version.",
    ["service", "version"],
    multiprocess_mode="livemax",
)
web_workers = Gauge("web_workers", "Worker processes that serve requests.", multiprocess_mode="livesum")
web_threads = Gauge(
    "web_threads", "Threads that answer requests, of all worker processes.", multiprocess_mode="livesum"
)
# The number of busy threads needs no gauge: it is the rate of http_request_duration_seconds_sum, which counts from the
# arrival of requests, less the rate of web_queue_seconds_total.
web_queue_seconds_total = Counter(
    "web_queue_seconds_total",
    "Time that connections waited for a free thread and for their turn; its rate is the number of waiting ones.",
)
web_queue_length = Gauge("web_queue_length", "Requests that wait for a free thread.", multiprocess_mode="livesum")
web_queue_age_seconds = Gauge(
    "web_queue_age_seconds", "For how long the oldest of them has waited.", multiprocess_mode="livemax"
)
web_connections = Gauge("web_connections", "Connections of clients, silent ones included.", multiprocess_mode="livesum")
log_lines_total = Counter("log_lines_total", "Log lines of level warning and above.", ["level"])
for level in ("warning", "error", "critical"):
    log_lines_total.labels(level)  # starts at 0, so that rate() sees the first event
log_lines_lost_total = Counter(
    "log_lines_lost_total", "Log lines that could not be written: a full disk, or a pipe without a reader."
)
login_attempts_total = Counter("login_attempts_total", "Logins to the admin, by outcome.", ["outcome"])
for outcome in ("succeeded", "failed", "refused"):
    login_attempts_total.labels(outcome)  # starts at 0, as above
access_tokens_total = Counter(
    "access_tokens_total", "Access tokens of requests: accepted, or the reason of the refusal.", ["outcome"]
)
access_tokens_total.labels("accepted")  # starts at 0, as above
service_tokens_total = Counter(
    "service_tokens_total", "Tokens of services: accepted, shared, or the reason of the refusal.", ["outcome"]
)
for outcome in ("accepted", "shared"):  # the latter is SERVICE_TOKEN
    service_tokens_total.labels(outcome)
telemetry_spans_dropped_total = Counter(
    "telemetry_spans_dropped_total", "Spans that did not reach the collector, as it failed or the queue was full."
)

_collectors: list[Collector] = []


def register_collector(collector: Collector) -> None:
    """Add the collector to /metrics of a web process; a worker exposes only its own counters."""
    if role.current() is not Role.WEB:
        return
    _collectors.append(collector)
    REGISTRY.register(collector)


register_collector(metrics_files.LostFiles())


def describe_build(config: ServiceConfig) -> None:
    """Set argos_build_info."""
    argos_build_info.labels(config.service, config.service_version).set(1)


def route_of(request: HttpRequest) -> str:
    """Return the URL pattern of the request, or `unmatched`; never the path, whose values are unbounded."""
    match = request.resolver_match
    return f"/{match.route}" if match is not None else UNMATCHED


def method_label(method: str | None) -> str:
    """Return the method, or `other`, as a client may send any word."""
    return method if method in KNOWN_METHODS else "other"


@cache
def _request_series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return the cached series; the library takes as long to find a series as to write to it."""
    return http_requests_total.labels(method, route, status), http_request_duration_seconds.labels(method, route)


def observe_request(method: str, route: str, status: int, seconds: float, trace_id: str | None = None) -> None:
    """Count one answered request and observe its duration, with the trace as the exemplar."""
    count, duration = _request_series(method_label(method), route, status)
    count.inc()
    duration.observe(seconds, {"trace_id": trace_id} if trace_id else None)


class WorkerProcesses(Collector):
    """Report `process_*` of all workers: sums, but the oldest start and the smallest limit."""

    COMBINE = {"process_start_time_seconds": min, "process_max_fds": min}

    def collect(self) -> Iterable[Metric]:
        combined: dict[str, Metric] = {}
        for pid in _worker_pids():
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                known = combined.setdefault(metric.name, metric)
                if known is not metric:
                    combine = self.COMBINE.get(metric.name)
                    before, value = known.samples[0].value, metric.samples[0].value
                    known.samples[0] = known.samples[0]._replace(
                        value=combine(before, value) if combine else before + value
                    )
        return combined.values()


def _worker_pids() -> list[int]:
    """Return the process ids of the master's children: this worker and its siblings."""
    children = Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children")
    try:
        return [int(pid) for pid in children.read_text().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return [os.getpid()]


def current_registry() -> CollectorRegistry:
    """Return the registry to expose: this process's, or that of all workers' files."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library has no types here
    registry.register(WorkerProcesses())
    for collector in _collectors:
        registry.register(collector)
    return registry


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer /metrics in Prometheus' text format, or in OpenMetrics with exemplars when asked."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    registry = current_registry()
    with metrics_files.unchanged(Path(folder)) if folder else nullcontext():
        try:
            encode, content_type = exposition.choose_encoder(request.headers.get("Accept", ""))
            body = encode(registry)
        except (TypeError, ValueError):  # the requested version is not a number
            encode, content_type = exposition.choose_encoder("")
            body = encode(registry)
    return HttpResponse(body, content_type=content_type)
