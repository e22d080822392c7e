"""The metrics of one-off commands, left where Prometheus finds them after the process has ended.

`PUSHGATEWAY_URL` pushes them, `COMMAND_METRICS_DIR` writes them for the node exporter's textfile collector. Both go on
counting from what is there, and keep when it last succeeded and last failed.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import requests
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ops.config import ServiceConfig

log = structlog.get_logger(__name__)

disable_created_metrics()  # type: ignore[no-untyped-call] # as in ops.metrics, which not every command imports

PUSH_TIMEOUT = 2.0  # seconds


def record_run(config: ServiceConfig, *, command: str, outcome: str, seconds: float) -> None:
    """Publish one run; a collector that is away costs a log line, never the command's result."""
    after = partial(_after, service=config.service, command=command, outcome=outcome, seconds=seconds)
    places: list[tuple[str, Callable[[], None]]] = []
    if config.command_metrics_dir:
        path = Path(config.command_metrics_dir) / f"{config.service}-{command}.prom"
        places.append((str(path), lambda: _write(path, after)))
    if config.pushgateway_url:
        url = config.pushgateway_url
        places.append((url, lambda: _push(url, f"job/{config.service}/command/{command}", after)))
    for place, publish in places:
        try:
            publish()
        except (OSError, ValueError) as error:  # among the first, every RequestException
            log.warning("command.metrics_lost", command=command, place=place, reason=f"{type(error).__name__}: {error}")


def _write(path: Path, after: Callable[[str], bytes]) -> None:
    with _alone_in(path.parent):
        _replace(path, after(path.read_text(encoding="utf-8") if path.exists() else ""))


def _push(url: str, group: str, after: Callable[[str], bytes]) -> None:
    """Replace the group; of two runs that end at the same moment one may go uncounted."""
    with requests.Session() as session:
        session.trust_env = False
        before = session.get(f"{url}/metrics", timeout=PUSH_TIMEOUT)
        before.raise_for_status()  # or the counters would begin anew
        session.put(f"{url}/metrics/{group}", data=after(before.text), timeout=PUSH_TIMEOUT).raise_for_status()


def _after(before: str, service: str, command: str, outcome: str, seconds: float) -> bytes:
    """Return the exposition of the command's metrics, one run after those of `before`."""
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
    kept = {
        "ops_command_last_success_timestamp_seconds": success,
        "ops_command_last_failure_timestamp_seconds": failure,
    }
    for family in text_string_to_metric_families(before):
        for sample in family.samples:
            if not labels.items() <= sample.labels.items():
                continue
            if sample.name == "ops_command_runs_total":
                runs.labels(**labels, outcome=sample.labels["outcome"]).inc(sample.value)
            if gauge := kept.get(sample.name):
                gauge.labels(**labels).set(sample.value)
    runs.labels(**labels, outcome=outcome).inc()
    duration.labels(**labels).set(seconds)
    if outcome == "done":
        success.labels(**labels).set(time.time())
    elif outcome != "locked":  # another run is at it, and that one counts
        failure.labels(**labels).set(time.time())
    return generate_latest(registry)


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
