"""Compare Argos, the same packages plainly assembled, and a bare WSGI function: `make bench`.

Each subject runs alone, with one gunicorn process for each service, all telemetry on, and every request traced to a
local sink. The subjects alternate. Every figure is a median over the rounds. Compare only ratios within one run, as
machines differ and may be busy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from bench.chart import chart
from tests.processes import SECRET_KEY, clean_environment, database, free_port, manage

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
ORDER = '{"productId": 1, "quantity": 2}'
THREADS = os.environ.get("WEB_THREADS", "4")
TICKS = os.sysconf("SC_CLK_TCK")


class Sink(BaseHTTPRequestHandler):
    """Accept spans and discard them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


def cpu_seconds(process: int | str) -> float:
    """Return the user and system time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass
class Server:
    """One running gunicorn with one worker."""

    process: subprocess.Popen[bytes]
    url: str
    cold_start: float

    def worker(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.worker())

    def peak_memory_mb(self) -> float:
        status = Path(f"/proc/{self.worker()}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024


@contextmanager
def serve(arguments: list[str], env: dict[str, str], path: str, root: Path = ROOT) -> Iterator[Server]:
    """Start gunicorn in a checkout, wait for the first answer below 400, and stop it at the end."""
    url = f"http://127.0.0.1:{env['PORT']}"
    with tempfile.TemporaryFile() as log:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments], cwd=root, env=clean_environment(env), stdout=log, stderr=log
        )
        try:
            while process.poll() is None and time.monotonic() < started + 60:
                try:
                    if requests.get(url + path, timeout=10).status_code < 400:
                        break
                except requests.RequestException:
                    time.sleep(0.01)
            else:
                log.seek(0)
                raise SystemExit(f"{arguments} did not start:\n{log.read().decode()}")
            yield Server(process, url, time.monotonic() - started)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def plain(application: str, port: str) -> list[str]:
    """Return the arguments of gunicorn's quick start, with Argos' number of threads."""
    return [application, "-b", f"127.0.0.1:{port}", "-w", "1", "-k", "gthread", "--threads", THREADS]


@contextmanager
def sink() -> Iterator[str]:
    """Yield the URL of a receiver that discards everything."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    finally:
        server.shutdown()


@contextmanager
def prepared_databases(root: Path = ROOT) -> Iterator[dict[str, str]]:
    """Yield the URLs of both services' databases, migrated and seeded by a checkout."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {name: stack.enter_context(database(directory, name)) for name in ("products", "orders")}
        for name, url in urls.items():
            for command in (["migrate", "-v0"], ["seed_products"]) if name == "products" else (["migrate", "-v0"],):
                manage(f"{name}_project", *command, env={"DATABASE_URL": url}, root=root).check_returncode()
        yield urls


@contextmanager
def subject(
    name: str, databases: dict[str, str], endpoint: str, *, root: Path = ROOT, **more: str
) -> Iterator[dict[str, Server]]:
    """Run one subject: its products, and its orders if it has one; `more` extends the environment."""
    common = {
        "JAEGER_ENDPOINT": endpoint,
        "LOG_FORMAT": "json",
        "WEB_THREADS": THREADS,
        "SECRET_KEY": SECRET_KEY,
        **more,
    }
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for service in ("products", "orders") if name != "ceiling" else ("products",):
            port = str(free_port())
            env = {**common, "PORT": port, "DATABASE_URL": databases[service]}
            if service == "orders":
                env["PRODUCTS_SERVICE_URL"] = servers["products"].url
            if name == "argos":
                env["DJANGO_SETTINGS_MODULE"] = f"{service}_project.settings"
                module = "ops.server.gunicorn" if (root / "ops" / "server").is_dir() else "ops.gunicorn"  # until 1.0.0
                arguments, path = ["-c", f"python:{module}"], "/healthz"
            elif name == "baseline":
                env |= {"DJANGO_SETTINGS_MODULE": "bench.baseline.settings", "BASELINE": service}
                arguments, path = plain("bench.baseline.wsgi", port), "/metrics"
            else:
                arguments, path = plain("bench.ceiling", port), "/"
            servers[service] = stack.enter_context(serve(arguments, env, path, root))
        yield servers


def require_wrk() -> None:
    """Exit if wrk is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing; on Debian: apt-get install wrk")


def load(
    server: Server, method: str, path: str, connections: int, seconds: float, *, cookie: str = ""
) -> dict[str, float]:
    """Load one path with wrk and return throughput, latencies, errors, and the worker's CPU time a request."""
    worker, before = server.worker(), server.cpu_seconds()
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", "bench/report.lua", server.url + path],
        cwd=ROOT,
        env=os.environ | {"METHOD": method, "BODY": ORDER} | ({"COOKIE": cookie} if cookie else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    found["rps"] = found["requests"] / found.pop("seconds")
    if server.worker() != worker:  # gunicorn killed a worker that did not answer for 30 s
        before = 0.0
    found["cpu_us"] = (server.cpu_seconds() - before) / max(found["requests"], 1) * 1e6
    found["memory_mb"] = server.peak_memory_mb()
    return found


def measure(options: argparse.Namespace) -> dict[str, dict[str, dict[str, float]]]:
    """Return medians by case and subject."""
    samples: dict[tuple[str, str], list[dict[str, float]]] = {}
    with sink() as endpoint, prepared_databases() as databases:
        for number in range(options.rounds):
            for name in ("argos", "baseline", "ceiling"):
                with subject(name, databases, endpoint) as servers:
                    cases = [("GET", "products", "/products/1"), ("POST", "orders", "/orders")]
                    for method, service, path in cases[: len(servers)]:
                        load(servers[service], method, path, 4, min(options.seconds, 2))  # warm
                        for connections in options.connections:
                            found = load(servers[service], method, path, connections, options.seconds)
                            found["cold_start_s"] = servers[service].cold_start
                            samples.setdefault((f"{method} {path} x {connections}", name), []).append(found)
                            print(
                                f"{number + 1} {name:8} {method:4} {connections:3}  {found['rps']:8.0f} /s", flush=True
                            )
    medians: dict[str, dict[str, dict[str, float]]] = {}
    for (case, name), found_all in samples.items():
        medians.setdefault(case, {})[name] = {
            key: round(statistics.median(one[key] for one in found_all), 3) for key in found_all[0]
        }
    return medians


def table(medians: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return the medians and Argos' ratios to the baseline as Markdown."""
    lines = [
        "| case | subject | requests/s | p50 ms | p95 ms | p99 ms | errors | CPU µs | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case, subjects in medians.items():
        for name, found in subjects.items():
            lines.append(
                f"| {case} | {name} | {found['rps']:.0f} | {found['p50_ms']:.1f} | {found['p95_ms']:.1f} "
                f"| {found['p99_ms']:.1f} | {found['errors']:.0f} | {found['cpu_us']:.0f} | {found['memory_mb']:.0f} |"
            )
        argos, baseline = subjects["argos"], subjects["baseline"]
        lines.append(
            f"| | **argos / baseline** | **{argos['rps'] / baseline['rps']:.2f}x** | | "
            f"| **{argos['p99_ms'] / baseline['p99_ms']:.2f}x** | | **{argos['cpu_us'] / baseline['cpu_us']:.2f}x** | |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds of each measurement (default: %(default)g)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all subjects (default: %(default)s)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32, 256])
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    require_wrk()
    medians = measure(options)
    print(table(medians))
    if not options.no_write:
        kind = "postgresql" if os.environ.get("TEST_DATABASE_URL") else "sqlite"
        about = {
            "measured": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "python": platform.python_version(),
            "processors": os.cpu_count(),
            "rounds": options.rounds,
            "seconds": options.seconds,
            "threads": int(THREADS),
        }
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{kind}.json").write_text(json.dumps({"about": about, "medians": medians}, indent=1) + "\n")
        (RESULTS / f"{kind}.svg").write_text(chart(medians, f"requests a second, {kind}"))


if __name__ == "__main__":
    main()
