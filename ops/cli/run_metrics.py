"""The metrics of one-off commands, left where Prometheus finds them after the process has ended.

`PUSHGATEWAY_URL` pushes them, `COMMAND_METRICS_DIR` writes them for the node exporter's textfile collector. Both go on
counting from what is there, and keep when it last succeeded and last failed. A command that runs for long leaves what
it counts now and then: `CounterReport`.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from ops.config.service import ServiceConfig
from ops.outbound.session import PeerSession

log = structlog.get_logger(__name__)

disable_created_metrics()  # type: ignore[no-untyped-call] # as in ops.telemetry.metrics, which not every command imports

PUSH_TIMEOUT = 2.0  # seconds
LARGEST_EXPOSITION = 100_000_000  # bytes of all groups of a Pushgateway
REPORT_EVERY = 15.0  # seconds: about as often as Prometheus looks

Counts = dict[tuple[str, tuple[tuple[str, str], ...]], float]  # by name and labels


def record_run(config: ServiceConfig, *, command: str, outcome: str, seconds: float) -> None:
    """Publish one run; a collector that is away costs a log line, never the command's result."""
    _publish(config, command, partial(_after, service=config.service, command=command, run=(outcome, seconds)))


class CounterReport:
    """Publish what a long-running command counts in this process: every REPORT_EVERY seconds, and when it ends."""

    def __init__(self, config: ServiceConfig, *, command: str, counters: Sequence[Counter]) -> None:
        self._config = config
        self._command = command
        self._counters = counters
        self._reported: Counts = self._counted()
        self._next = time.monotonic() + REPORT_EVERY

    def publish_now_and_then(self) -> None:
        """Publish if it is time to."""
        if time.monotonic() >= self._next:
            self.publish()

    def publish(self) -> None:
        """Add what was counted since the last time; what could not be added is tried again with the next."""
        self._next = time.monotonic() + REPORT_EVERY
        counted = self._counted()
        more = {series: value - self._reported.get(series, 0) for series, value in counted.items()}
        helps = {sample.name: metric.documentation for metric, sample in self._samples()}
        after = partial(_after, service=self._config.service, command=self._command, more=more, helps=helps)
        if any(more.values()) and _publish(self._config, self._command, after):
            self._reported = counted

    def _counted(self) -> Counts:
        return {(sample.name, tuple(sample.labels.items())): sample.value for _, sample in self._samples()}

    def _samples(self) -> Iterator[tuple[Metric, Sample]]:
        for counter in self._counters:
            for metric in counter.collect():
                yield from ((metric, sample) for sample in metric.samples if sample.name.endswith("_total"))


def _publish(config: ServiceConfig, command: str, after: Callable[[str], bytes]) -> bool:
    """Publish in every place; tell whether all went well."""
    places: list[tuple[str, Callable[[], None]]] = []
    if config.command_metrics_dir:
        path = Path(config.command_metrics_dir) / f"{config.service}-{command}.prom"
        places.append((str(path), lambda: _write(path, after)))
    if config.pushgateway_url:
        url = config.pushgateway_url
        places.append((url, lambda: _push(config, url, f"job/{config.service}/command/{command}", after)))
    is_published = True
    for place, publish in places:
        try:
            publish()
        except (OSError, ValueError) as error:  # among the first, every RequestException
            is_published = False
            log.warning("command.metrics_lost", command=command, place=place, reason=f"{type(error).__name__}: {error}")
    return is_published


def _write(path: Path, after: Callable[[str], bytes]) -> None:
    with _alone_in(path.parent):
        _replace(path, after(path.read_text(encoding="utf-8") if path.exists() else ""))


def _push(config: ServiceConfig, url: str, group: str, after: Callable[[str], bytes]) -> None:
    """Replace the group; of two runs that end at the same moment one may go uncounted."""
    with PeerSession(config, max_bytes=LARGEST_EXPOSITION) as session:
        before = session.get(f"{url}/metrics", timeout=PUSH_TIMEOUT)
        before.raise_for_status()  # or the counters would begin anew
        session.put(
            f"{url}/metrics/{group}", data=after(before.content.decode()), timeout=PUSH_TIMEOUT
        ).raise_for_status()


def _after(
    before: str,
    *,
    service: str,
    command: str,
    run: tuple[str, float] | None = None,
    more: Counts | None = None,
    helps: Mapping[str, str] | None = None,
) -> bytes:
    """Return the exposition of the command's metrics, after a run or after it has counted more."""
    registry = CollectorRegistry()
    labels = {"service": service, "command": command}
    runs = Counter("ops_command_runs_total", "Runs of a command.", [*labels, "outcome"], registry=registry)
    duration = Gauge("ops_command_duration_seconds", "Time of the last run.", list(labels), registry=registry)
    success = Gauge(
        "ops_command_last_success_timestamp_seconds",
        "When the command last succeeded.",
        list(labels),
        registry=registry,
    )
    failure = Gauge(
        "ops_command_last_failure_timestamp_seconds",
        "When the command last failed, or was called wrongly.",
        list(labels),
        registry=registry,
    )
    gauges = {
        "ops_command_last_success_timestamp_seconds": success,
        "ops_command_last_failure_timestamp_seconds": failure,
        "ops_command_duration_seconds": duration,
    }
    own = _OwnCounters(labels, helps or {})
    registry.register(own)
    for family, sample in _samples_of(before, labels):
        if sample.name == "ops_command_runs_total":
            runs.labels(**labels, outcome=sample.labels["outcome"]).inc(sample.value)
        elif gauge := gauges.get(sample.name):
            gauge.labels(**labels).set(sample.value)
        elif family.type == "counter" and sample.name.endswith("_total"):
            kept = {name: value for name, value in sample.labels.items() if name not in (*labels, "job")}
            own.add(sample.name, tuple(kept.items()), sample.value, family.documentation)
    for (name, series), value in (more or {}).items():
        own.add(name, series, value)
    if run is not None:
        outcome, seconds = run
        runs.labels(**labels, outcome=outcome).inc()
        duration.labels(**labels).set(seconds)
        if outcome == "done":
            success.labels(**labels).set(time.time())
        elif outcome != "locked":  # another run is at it, and that one counts
            failure.labels(**labels).set(time.time())
    return generate_latest(registry)


def _samples_of(exposition: str, labels: Mapping[str, str]) -> Iterator[tuple[Metric, Sample]]:
    for family in text_string_to_metric_families(exposition):
        yield from ((family, sample) for sample in family.samples if labels.items() <= sample.labels.items())


class _OwnCounters(Collector):
    """What the command itself counts, by name and labels."""

    def __init__(self, labels: Mapping[str, str], helps: Mapping[str, str]) -> None:
        self._labels = labels
        self._helps = dict(helps)
        self._values: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}

    def add(self, name: str, series: tuple[tuple[str, str], ...], value: float, documentation: str = "") -> None:
        self._helps.setdefault(name, documentation)
        known = self._values.setdefault(name, {})
        known[tuple(sorted(series))] = known.get(tuple(sorted(series)), 0.0) + value

    def collect(self) -> Iterable[Metric]:
        for name, values in self._values.items():
            family = Metric(name.removesuffix("_total"), self._helps.get(name, ""), "counter")
            for series, value in values.items():
                family.add_sample(name, {**self._labels, **dict(series)}, value)
            yield family


def _replace(path: Path, content: bytes) -> None:
    """Write the file as one step, as the collector may read it at any moment."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let runs that end at the same moment count one after the other."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
