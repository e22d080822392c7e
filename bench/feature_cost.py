"""Measure the cost of each kind of telemetry for `GET /products/1`: `python -m bench.feature_cost`.

Each variant is a process that calls the WSGI application as gunicorn does, without sockets. All run together, each
for a moment in turn. The CPU time of the whole process counts, including the threads that encode and send spans. The
cost of a feature is the median saving without it within a round, as a busy machine slows a whole round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.run import sink
from tests.processes import SECRET_KEY, clean_environment, database, manage

ROOT = Path(__file__).resolve().parent.parent
VARIANTS = ("full", "no_log", "no_metrics", "no_database_metrics", "no_database_span", "no_tracing", "nothing")
LABELS = {
    "no_log": "the log line",
    "no_metrics": "counter and histogram of the request, with exemplar",
    "no_database_metrics": "the statement's metrics and its span: Django's engine in place of ours",
    "no_database_span": "the span alone",
    "no_tracing": "all tracing (server span and database span, encoding and sending included)",
    "nothing": "all telemetry",
}

# Runs in its own process; prints the CPU time of a request in microseconds for each line of its input.
PROGRAM = """
import io, os, sys, time
BLOCK = 512  # twice as many spans are two batches of the exporter, so that each is counted
variant = sys.argv[1]
off = lambda *names: variant in (*names, "nothing")
import django.conf
if off("no_database_metrics"):
    url = os.environ["DATABASE_URL"]
    engine = "postgresql" if url.startswith("postgres") else "sqlite3"
    django.conf.settings.DATABASES["default"]["ENGINE"] = f"django.db.backends.{engine}"
from products_project.wsgi import application
from ops.telemetry import metrics, tracing
if off("no_database_span"):
    tracing.is_stock = True  # statements are left to the libraries' instrumentations, which are not installed
from ops.server import middleware
if off("no_metrics"):
    metrics.observe_request = lambda *a, **k: None
    from products_project.products import metrics as business
    class Uncounted:
        def labels(self, *a): return self
        def inc(self): pass
    business.products_lookups_total = Uncounted()
if off("no_log"):
    middleware.log = type("Silent", (), {"log": lambda *a, **k: None, "error": lambda *a, **k: None})()
environ = {
    "REQUEST_METHOD": "GET", "PATH_INFO": "/products/1", "SCRIPT_NAME": "", "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "3001", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "localhost:3001", "HTTP_ACCEPT": "application/json", "HTTP_USER_AGENT": "bench",
    "HTTP_TRACEPARENT": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
    "wsgi.url_scheme": "http", "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": False,
    "wsgi.run_once": False, "wsgi.errors": sys.stderr,
}
def answer():
    status = []
    body = b"".join(application({**environ, "wsgi.input": io.BytesIO()}, lambda s, h, e=None: status.append(s)))
    assert status == ["200 OK"] and body == b'{"id":1,"name":"Quantum Laptop"}', (status, body)
for _ in range(300):
    answer()
for line in sys.stdin:
    started = time.process_time()
    for _ in range(BLOCK):
        answer()
    sys.stderr.write(f"{(time.process_time() - started) / BLOCK * 1e6:.1f}\\n")
    sys.stderr.flush()
os._exit(0)
"""


@contextmanager
def running(variant: str, url: str, endpoint: str) -> Iterator[Callable[[], float]]:
    """Yield a function that measures a block of requests, in microseconds of CPU each."""
    env = {"DJANGO_SETTINGS_MODULE": "products_project.settings", "DATABASE_URL": url, "SECRET_KEY": SECRET_KEY}
    if variant not in ("no_tracing", "nothing"):
        env["JAEGER_ENDPOINT"] = endpoint
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, variant],
        cwd=ROOT,
        env=clean_environment(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None  # noqa: S101 - for the type checker
    assert process.stderr is not None  # noqa: S101 - likewise
    ask, answers = process.stdin, process.stderr

    def measure() -> float:
        ask.write("\n")
        ask.flush()
        answer = answers.readline()
        try:
            return float(answer)
        except ValueError:
            raise SystemExit(answer + answers.read()) from None

    try:
        yield measure
    finally:
        process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="rounds over all variants (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        url = stack.enter_context(database(Path(stack.enter_context(tempfile.TemporaryDirectory())), "products"))
        endpoint = stack.enter_context(sink())
        for command in (["migrate", "-v0"], ["seed_products"]):
            manage("products_project", *command, env={"DATABASE_URL": url}).check_returncode()
        variants = {variant: stack.enter_context(running(variant, url, endpoint)) for variant in VARIANTS}
        rounds = [{variant: measure() for variant, measure in variants.items()} for _ in range(options.rounds)]
    full = statistics.median(found["full"] for found in rounds)
    saved = {variant: statistics.median(found["full"] - found[variant] for found in rounds) for variant in LABELS}
    if options.json:
        print(json.dumps({"full": full, "saved": saved}))
        return
    print(f"| GET /products/1, all telemetry on | {full:.0f} µs | |\n|---|---|---|")
    for variant, label in LABELS.items():
        print(f"| {label} | {saved[variant]:.0f} µs | {saved[variant] / full:.0%} |")


if __name__ == "__main__":
    main()
