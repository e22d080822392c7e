"""A run is counted where Prometheus finds it; a collector that is away never changes a run's result."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from ops.cli.run_metrics import CounterReport, record_run
from ops.tests.peers import answering, refused
from ops.tests.settings import PlainConfig

RUNS = "ops_command_runs_total"
DURATION = "ops_command_duration_seconds"
SUCCESS = "ops_command_last_success_timestamp_seconds"
FAILURE = "ops_command_last_failure_timestamp_seconds"


def config(**environ: object) -> PlainConfig:
    reading = PlainConfig.read({name: str(value) for name, value in environ.items()})
    assert reading.config is not None, reading.faults
    return reading.config


def series(text: str, name: str) -> dict[str, float]:
    """Return a metric's values by their outcome, or by their command where there is none."""
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels.get("outcome") or sample.labels["command"]: sample.value for sample in samples}


def count_in(folder: Path, outcome: str = "done", command: str = "purge") -> str:
    """Record one run in the folder; return the command's file."""
    record_run(config(COMMAND_METRICS_DIR=folder), command=command, outcome=outcome, seconds=1.5)
    return (folder / f"plain-service-{command}.prom").read_text()


def test_it_goes_on_counting_from_what_is_there(tmp_path: Path) -> None:
    for outcome in ("done", "failed", "done"):
        text = count_in(tmp_path, outcome)

    assert series(text, RUNS) == {"done": 2, "failed": 1}
    assert series(text, DURATION) == {"purge": 1.5}
    assert 'service="plain-service"' in text


def test_it_says_when_the_command_last_failed(tmp_path: Path) -> None:
    assert series(count_in(tmp_path, "done"), FAILURE) == {}
    assert series(count_in(tmp_path, "locked"), FAILURE) == {}

    before = time.time()
    failure = series(count_in(tmp_path, "failed"), FAILURE)["purge"]

    assert before <= failure <= time.time()
    assert series(count_in(tmp_path, "done"), FAILURE)["purge"] == failure


def test_a_failed_run_keeps_the_last_success(tmp_path: Path) -> None:
    before = time.time()
    success = series(count_in(tmp_path, "done"), SUCCESS)["purge"]

    text = count_in(tmp_path, "failed")

    assert before <= success <= time.time()
    assert series(text, SUCCESS) == {"purge": success}


def test_a_command_that_never_succeeded_has_no_last_success(tmp_path: Path) -> None:
    assert series(count_in(tmp_path, "failed"), SUCCESS) == {}


def test_each_command_has_its_own_file_which_every_collector_may_read(tmp_path: Path) -> None:
    count_in(tmp_path, command="purge")
    text = count_in(tmp_path, command="seed")

    assert series(text, RUNS) == {"done": 1}
    assert {path.name for path in tmp_path.iterdir()} == {"plain-service-purge.prom", "plain-service-seed.prom"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


def test_a_reader_never_sees_half_a_file_and_runs_that_end_together_all_count(tmp_path: Path) -> None:
    count_in(tmp_path)
    seen, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append((tmp_path / "plain-service-purge.prom").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: count_in(tmp_path), range(40)))
    done.set()
    reader.join()

    assert {len(text.splitlines()) for text in seen} == {len(seen[0].splitlines())}
    assert series(seen[-1], RUNS)["done"] <= series(count_in(tmp_path), RUNS)["done"] == 42


@pytest.mark.parametrize("found", ["a file", "nothing"])
def test_a_folder_that_takes_nothing_costs_one_log_line(tmp_path: Path, found: str) -> None:
    folder = tmp_path / "metrics"
    if found == "a file":
        folder.write_text("")

    with capture_logs() as logs:
        record_run(config(COMMAND_METRICS_DIR=folder), command="purge", outcome="done", seconds=1.5)

    assert [(line["event"], line["log_level"], line["command"]) for line in logs] == [
        ("command.metrics_lost", "warning", "purge")
    ]
    assert str(folder) in logs[0]["place"]
    assert str(folder) in logs[0]["reason"]


def test_a_disk_that_is_full_in_mid_file_leaves_the_last_whole_one(tmp_path: Path) -> None:
    before = count_in(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    with capture_logs() as logs:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # bytes that any file may get
        try:
            record_run(config(COMMAND_METRICS_DIR=tmp_path), command="purge", outcome="done", seconds=1.5)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert [line["event"] for line in logs] == ["command.metrics_lost"]
    assert [path.read_text() for path in tmp_path.iterdir()] == [before]


def test_a_file_that_is_no_exposition_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "plain-service-purge.prom"
    path.write_text("{ no exposition")

    with capture_logs() as logs:
        record_run(config(COMMAND_METRICS_DIR=tmp_path), command="purge", outcome="done", seconds=1.5)

    assert [line["event"] for line in logs] == ["command.metrics_lost"]
    assert path.read_text() == "{ no exposition"
    assert list(tmp_path.iterdir()) == [path]


@contextmanager
def pushgateway() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the URL of a server that keeps what is PUT, by its path, and shows it all on /metrics."""
    groups: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, "\n".join(groups.values()).encode())

        def do_PUT(self) -> None:
            groups[urlsplit(self.path).path] = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(200)

        def _answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")  # Prometheus 3 reads nothing without
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", groups
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_it_pushes_to_a_group_of_its_own_and_goes_on_counting_from_it() -> None:
    with pushgateway() as (url, groups):
        for command, outcome in (("purge", "done"), ("seed", "done"), ("purge", "failed"), ("purge", "done")):
            record_run(config(PUSHGATEWAY_URL=url), command=command, outcome=outcome, seconds=1.5)

    purge, seed = "/metrics/job/plain-service/command/purge", "/metrics/job/plain-service/command/seed"
    assert set(groups) == {purge, seed}
    assert series(groups[purge], RUNS) == {"done": 2, "failed": 1}
    assert series(groups[purge], SUCCESS).keys() == {"purge"}
    assert series(groups[seed], RUNS) == {"done": 1}


def test_a_pushgateway_that_refuses_is_not_overwritten_and_costs_one_log_line() -> None:
    with answering(503) as (broken, asked), capture_logs() as logs:
        record_run(config(PUSHGATEWAY_URL=broken), command="purge", outcome="done", seconds=1.5)

    assert asked == ["GET /metrics"]
    assert [(line["event"], line["place"]) for line in logs] == [("command.metrics_lost", broken)]


def test_one_place_that_is_away_does_not_keep_a_run_from_the_other(tmp_path: Path) -> None:
    nobody = refused()
    both = {"COMMAND_METRICS_DIR": tmp_path / "gone", "PUSHGATEWAY_URL": nobody}
    with capture_logs() as logs:
        record_run(config(**both), command="purge", outcome="done", seconds=1.5)
    with pushgateway() as (url, groups), capture_logs():
        record_run(config(**(both | {"PUSHGATEWAY_URL": url})), command="purge", outcome="done", seconds=1.5)

    assert [line["place"].startswith((str(tmp_path), nobody)) for line in logs] == [True, True]
    assert len(groups) == 1


def counted_in(text: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "things_done_total"
    }


def test_a_long_run_adds_what_it_has_counted_to_what_is_there(tmp_path: Path) -> None:
    here = config(COMMAND_METRICS_DIR=tmp_path)
    path = tmp_path / "plain-service-loop.prom"
    for _ in range(2):  # two processes, one after the other
        things = Counter("things_done_total", "Things that were done.", ["outcome"], registry=None)
        report = CounterReport(here, command="loop", counters=[things])
        report.publish()  # nothing was counted yet
        things.labels("good").inc(3)
        report.publish()
        things.labels("good").inc()
        things.labels("bad").inc()
        report.publish()
        record_run(here, command="loop", outcome="done", seconds=1.5)

    text = path.read_text()
    assert counted_in(text) == {
        ("good", "loop", "plain-service"): 8,
        ("bad", "loop", "plain-service"): 2,
    }
    assert "# HELP things_done_total Things that were done.\n" in text
    assert 'ops_command_runs_total{command="loop",outcome="done",service="plain-service"} 2.0' in text
    assert 'ops_command_duration_seconds{command="loop",service="plain-service"} 1.5' in text


def test_a_long_run_reports_now_and_then_and_again_what_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "later"
    here = config(COMMAND_METRICS_DIR=folder)
    things = Counter("things_done_total", "Things that were done.", ["outcome"], registry=None)
    report = CounterReport(here, command="loop", counters=[things])
    things.labels("good").inc(3)
    report.publish_now_and_then()
    report.publish()  # there is no such folder: a line in the log
    folder.mkdir()
    things.labels("good").inc()
    report.publish_now_and_then()
    assert list(folder.iterdir()) == []

    monkeypatch.setattr(report, "_next", 0.0)
    report.publish_now_and_then()

    text = (folder / "plain-service-loop.prom").read_text()
    assert counted_in(text) == {("good", "loop", "plain-service"): 4}
