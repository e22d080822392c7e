"""A run leaves its gauges where Prometheus finds them; a collector that is away never changes a run's result."""

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
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from ops.cli.run_metrics import record_run
from ops.tests.peers import answering, refused
from ops.tests.settings import PlainConfig

DURATION = "ops_command_duration_seconds"
SUCCESS = "ops_command_last_success_timestamp_seconds"
FAILURE = "ops_command_last_failure_timestamp_seconds"


def config(**environ: object) -> PlainConfig:
    reading = PlainConfig.read({name: str(value) for name, value in environ.items()})
    assert reading.config is not None, reading.faults
    return reading.config


def series(text: str, name: str) -> dict[str, float]:
    """Return a metric's values by their command."""
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels["command"]: sample.value for sample in samples}


def written_in(folder: Path, outcome: str = "done", command: str = "purge") -> str:
    """Record one run in the folder; return what the collector reads of the command."""
    record_run(config(COMMAND_METRICS_DIR=folder), command=command, outcome=outcome, seconds=1.5)
    return "".join(path.read_text() for path in sorted(folder.glob(f"plain-service-{command}-*.prom")))


def test_it_says_how_long_the_run_took(tmp_path: Path) -> None:
    text = written_in(tmp_path)

    assert series(text, DURATION) == {"purge": 1.5}
    assert 'service="plain-service"' in text


def test_it_says_when_the_command_last_failed(tmp_path: Path) -> None:
    assert series(written_in(tmp_path, "done"), FAILURE) == {}

    before = time.time()
    failure = series(written_in(tmp_path, "failed"), FAILURE)["purge"]

    assert before <= failure <= time.time()
    assert series(written_in(tmp_path, "done"), FAILURE)["purge"] == failure


def test_a_failed_run_keeps_the_last_success(tmp_path: Path) -> None:
    before = time.time()
    success = series(written_in(tmp_path, "done"), SUCCESS)["purge"]

    text = written_in(tmp_path, "failed")

    assert before <= success <= time.time()
    assert series(text, SUCCESS) == {"purge": success}


def test_a_run_that_found_the_lock_held_changes_nothing(tmp_path: Path) -> None:
    assert written_in(tmp_path, "locked") == ""


def test_each_command_has_files_of_its_own_which_every_collector_may_read(tmp_path: Path) -> None:
    written_in(tmp_path, command="purge")
    written_in(tmp_path, command="seed")

    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        f"plain-service-{command}-{gauge}.prom" for command in ("purge", "seed") for gauge in (DURATION, SUCCESS)
    }
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    written_in(tmp_path)
    seen, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append((tmp_path / f"plain-service-purge-{SUCCESS}.prom").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: written_in(tmp_path), range(40)))
    done.set()
    reader.join()

    assert {len(text.splitlines()) for text in seen} == {3}


@pytest.mark.parametrize("found", ["a file", "nothing"])
def test_a_folder_that_takes_nothing_costs_a_log_line(tmp_path: Path, found: str) -> None:
    folder = tmp_path / "metrics"
    if found == "a file":
        folder.write_text("")

    with capture_logs() as logs:
        record_run(config(COMMAND_METRICS_DIR=folder), command="purge", outcome="done", seconds=1.5)

    assert {(line["event"], line["log_level"], line["command"]) for line in logs} == {
        ("command.metrics_lost", "warning", "purge")
    }
    assert str(folder) in logs[0]["place"]
    assert str(folder) in logs[0]["reason"]


def test_a_disk_that_is_full_in_mid_file_leaves_the_last_whole_ones(tmp_path: Path) -> None:
    before = written_in(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    with capture_logs() as logs:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))  # bytes that any file may get
        try:
            record_run(config(COMMAND_METRICS_DIR=tmp_path), command="purge", outcome="done", seconds=2.5)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert {line["event"] for line in logs} == {"command.metrics_lost"}
    assert "".join(path.read_text() for path in sorted(tmp_path.iterdir())) == before


@contextmanager
def pushgateway() -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Yield the URL of a Pushgateway and its groups: by their path, the lines of each metric. /metrics shows them all.

    PUT replaces a group; POST replaces the metrics that it names.
    """
    groups: dict[str, dict[str, str]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lines = [line for metrics in groups.values() for line in metrics.values()]
            self._answer(200, "".join(f"{line}\n" for line in lines).encode())

        def do_PUT(self) -> None:
            groups[urlsplit(self.path).path] = {}
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            lines = [line for line in body.splitlines() if line and not line.startswith("#")]
            groups.setdefault(urlsplit(self.path).path, {}).update({line.split("{")[0]: line for line in lines})
            self._answer(200)

        def _answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")  # without one, Prometheus 3 reads nothing
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


def test_it_pushes_to_a_group_of_its_own_and_keeps_what_it_does_not_set() -> None:
    with pushgateway() as (url, groups):
        for command, outcome in (("purge", "done"), ("seed", "done"), ("purge", "failed")):
            record_run(config(PUSHGATEWAY_URL=url), command=command, outcome=outcome, seconds=1.5)

    purge, seed = "/metrics/job/plain-service/command/purge", "/metrics/job/plain-service/command/seed"
    assert groups.keys() == {purge, seed}
    assert groups[purge].keys() == {DURATION, SUCCESS, FAILURE}
    assert groups[seed].keys() == {DURATION, SUCCESS}


def test_a_pushgateway_that_refuses_costs_one_log_line_and_is_asked_nothing_else() -> None:
    with answering(503) as (broken, asked), capture_logs() as logs:
        record_run(config(PUSHGATEWAY_URL=broken), command="purge", outcome="done", seconds=1.5)

    assert asked == ["POST /metrics/job/plain-service/command/purge"]
    assert [line["event"] for line in logs] == ["command.metrics_lost"]
    assert logs[0]["place"].startswith(broken)


def test_one_place_that_is_away_does_not_keep_a_run_from_the_other(tmp_path: Path) -> None:
    nobody = refused()
    both = {"COMMAND_METRICS_DIR": tmp_path / "gone", "PUSHGATEWAY_URL": nobody}
    with capture_logs() as logs:
        record_run(config(**both), command="purge", outcome="done", seconds=1.5)
    with pushgateway() as (url, groups), capture_logs():
        record_run(config(**(both | {"PUSHGATEWAY_URL": url})), command="purge", outcome="done", seconds=1.5)

    assert [line["place"].startswith((str(tmp_path), nobody)) for line in logs] == [True, True, True]
    assert len(groups) == 1
