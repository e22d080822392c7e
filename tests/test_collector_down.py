"""A failing collector costs spans; it does not slow requests or the shutdown, nor flood the log."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import pytest
import requests

from tests.otlp_receiver import Mode, OtlpReceiver, otlp_receiver
from tests.processes import Service, database, manage

MODES: tuple[Mode, ...] = get_args(Mode)
BROKEN = tuple(mode for mode in MODES if mode != "ok")
REQUESTS = 300


@pytest.fixture
def services(tmp_path: Path) -> Iterator[dict[Mode, tuple[Service, OtlpReceiver]]]:
    """Yield one products service for each state of a collector, all on one database."""
    with ExitStack() as stack:
        url = stack.enter_context(database(tmp_path, "products"))
        for command in (("migrate", "--verbosity", "0"), ("seed_products",)):
            assert manage("products_project", *command, env={"DATABASE_URL": url}).returncode == 0
        started: dict[Mode, tuple[Service, OtlpReceiver]] = {}
        for mode in MODES:
            collector = stack.enter_context(otlp_receiver(mode))
            # A batch every 50 ms, so that requests and failing exports overlap.
            env = {"DATABASE_URL": url, "JAEGER_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
            service = Service("products_project", tmp_path, env).start()
            stack.callback(service.kill)
            started[mode] = service, collector
        yield started


def medians(services: dict[Mode, tuple[Service, OtlpReceiver]]) -> dict[Mode, float]:
    """Return each service's median answer time; requests alternate, so that noise affects all equally."""
    seconds: dict[Mode, list[float]] = {mode: [] for mode in services}
    with requests.Session() as session:
        for _ in range(REQUESTS):
            for mode, (service, _collector) in services.items():
                started = time.perf_counter()
                assert session.get(f"{service.url}/products/1", timeout=30).status_code == 200
                seconds[mode].append(time.perf_counter() - started)
    return {mode: statistics.median(values) for mode, values in seconds.items()}


def test_no_request_no_shutdown_and_no_log_suffers_from_its_collector(
    services: dict[Mode, tuple[Service, OtlpReceiver]],
) -> None:
    times = medians(services)
    stops: dict[Mode, float] = {}
    for mode, (service, _) in services.items():
        started = time.monotonic()
        assert service.stop() == 0
        stops[mode] = time.monotonic() - started

    print({mode: (round(times[mode] * 1000, 2), round(stops[mode], 2)) for mode in MODES})
    assert services["ok"][1].spans
    for mode in BROKEN:
        service, collector = services[mode]
        assert mode == "refusing" or collector.calls > 0
        assert times[mode] < 2 * times["ok"] + 1, mode  # an exporter that is waited for takes 2 s
        assert stops[mode] < 3 * stops["ok"] + 3, mode  # the library's own way out takes 7 to 10 s
        lines = [line for line in service.log_lines() if line["event"] != "request.finished"]
        failures = [line for line in lines if line["event"] == "telemetry.export_failed"]
        assert len(failures) == 1, failures
        assert len(lines) <= 12, lines
