"""The gauges of a command's last run, left where Prometheus finds them after the process has ended.

`PUSHGATEWAY_URL` pushes them, `COMMAND_METRICS_DIR` writes them for the node exporter's textfile collector. A run
replaces only the gauges that it sets: a failed run leaves the time of the last success as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Gauge, generate_latest, write_to_textfile

from ops.config.service import ServiceConfig
from ops.outbound.session import PeerSession

log = structlog.get_logger(__name__)

PUSH_TIMEOUT = 2.0  # seconds

HELP = {
    "ops_command_duration_seconds": "Time of the last run.",
    "ops_command_last_success_timestamp_seconds": "When the command last succeeded.",
    "ops_command_last_failure_timestamp_seconds": "When the command last failed, or was called wrongly.",
}
DURATION, SUCCESS, FAILURE = HELP


def record_run(config: ServiceConfig, *, command: str, outcome: str, seconds: float) -> None:
    """Publish one run; a missing collector costs a log line, never the result of the command."""
    if outcome == "locked":  # nothing ran
        return
    gauges = {DURATION: seconds, SUCCESS if outcome == "done" else FAILURE: time.time()}
    registries = {name: _registry(name, value, config.service, command) for name, value in gauges.items()}
    if config.command_metrics_dir:
        folder = Path(config.command_metrics_dir)
        for name, registry in registries.items():  # a file for each gauge, as a file is replaced whole
            path = folder / f"{config.service}-{command}-{name}.prom"
            _publish(command, str(path), partial(_write, path, registry))
    if config.pushgateway_url:
        url = f"{config.pushgateway_url}/metrics/job/{config.service}/command/{command}"
        _publish(command, url, partial(_push, config, url, b"".join(map(generate_latest, registries.values()))))


def _registry(name: str, value: float, service: str, command: str) -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge(name, HELP[name], ["service", "command"], registry=registry).labels(service, command).set(value)
    return registry


def _publish(command: str, place: str, publish: Callable[[], None]) -> None:
    try:
        publish()
    except OSError as error:  # every RequestException is one
        log.warning("command.metrics_lost", command=command, place=place, reason=f"{type(error).__name__}: {error}")


def _write(path: Path, registry: CollectorRegistry) -> None:
    """Replace the file in one step, as the collector may read it at any moment, and as another user."""
    write_to_textfile(str(path), registry)
    path.chmod(0o644)


def _push(config: ServiceConfig, url: str, body: bytes) -> None:
    """Send the gauges by POST, which replaces metrics of these names and keeps the others of the group."""
    with PeerSession(config) as session:
        session.post(
            url, data=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}, timeout=PUSH_TIMEOUT
        ).raise_for_status()
