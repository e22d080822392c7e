"""gunicorn's configuration and hooks; `python -m ops.server` starts it with them.

The lower-case names are gunicorn's settings (https://docs.gunicorn.org/en/stable/settings.html).
"""

from __future__ import annotations

import gc
import os
import resource
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType

from django.conf import settings
from gunicorn.arbiter import Arbiter

from ops.manage import USAGE, load_config
from ops.server import metrics_folder
from ops.server.health import start_draining
from ops.server.worker import Worker

service_config = load_config()  # `config` is a setting of gunicorn

SPARE_FILES = 100  # of those that a process may open, for all but the clients' connections
LEAST_CONNECTIONS, MOST_CONNECTIONS = 64, 10_000


def connections_within_limit() -> int:
    """Return how many clients a worker may have, as the limit of open files allows; exit where that is too few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_CONNECTIONS + SPARE_FILES
    limit = most if hard == resource.RLIM_INFINITY else min(hard, most)
    if limit < LEAST_CONNECTIONS + SPARE_FILES:
        least = LEAST_CONNECTIONS + SPARE_FILES
        print(f"A process may open {hard} files here (ulimit -n); the service needs {least} or more.", file=sys.stderr)
        sys.exit(USAGE)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
    return limit - SPARE_FILES


def addresses(port: int) -> list[str]:
    """Return where to listen: on IPv6 and IPv4, which one socket serves unless the system says otherwise."""
    if not socket.has_dualstack_ipv6():
        return [f"0.0.0.0:{port}"]
    with socket.socket(socket.AF_INET6) as probe:
        is_ipv6_only = probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return [f"[::]:{port}", f"0.0.0.0:{port}"] if is_ipv6_only else [f"[::]:{port}"]


bind = addresses(service_config.port)
wsgi_app = settings.WSGI_APPLICATION.replace(".application", ":application")
worker_class = "ops.server.worker.Worker"
workers = service_config.web_concurrency
threads = service_config.web_threads
worker_connections = connections_within_limit()
keepalive = 65  # seconds; longer than the 60 that load balancers keep an idle connection
graceful_timeout = 10  # seconds; past every deadline that a request has
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat must not wait for a disk
control_socket_disable = True  # its default path is shared by every service of a user
accesslog = None  # ops.server.middleware writes one line a request
logconfig_dict = settings.LOGGING

GC_THRESHOLD = (
    10_000  # objects after which Python looks for garbage in cycles; its own 700 are less than a request makes
)

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
os.environ.pop(METRICS_DIRECTORY, None)  # one process keeps its metrics in memory; see on_starting

NO_UPGRADE = (
    "SIGUSR2 is not supported: two masters would share one socket. SIGHUP reloads; a new version is a new process."
)
NO_MORE_WORKERS = (
    "SIGTTIN is refused: the metrics of one worker are in its memory. Start with WEB_CONCURRENCY=2 or more."
)


def on_starting(server: Arbiter) -> None:
    """Make room for the workers' metrics; give SIGINT the grace of SIGTERM, and hurry on a second signal.

    SHUTDOWN_DELAY holds the first one back.
    """
    if server.cfg.workers > 1:
        # Before a worker imports prometheus_client; a new one, so that no value of another run is in it.
        os.environ[METRICS_DIRECTORY] = str(metrics_folder.make(service_config.service))
        from ops.telemetry import metrics_files  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

        metrics_files.install()
    enqueue = server.signal
    stopping = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if number not in (signal.SIGTERM, signal.SIGINT):
            enqueue(number, frame)
        elif stopping:
            enqueue(signal.SIGQUIT, frame)
        else:
            stopping = True
            start_draining()
            if service_config.shutdown_delay:
                timer = threading.Timer(service_config.shutdown_delay, enqueue, (signal.SIGTERM, frame))
                timer.daemon = True  # a second signal does not wait for it
                timer.start()
            else:
                enqueue(signal.SIGTERM, frame)

    server.signal = handle
    server.handle_usr2 = lambda: server.log.error(NO_UPGRADE)
    if server.cfg.workers == 1:
        server.handle_ttin = lambda: server.log.error(NO_MORE_WORKERS)


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Tell a worker whether the socket is a service manager's, which goes on listening when this service stops."""
    worker.shares_socket = server.systemd


def post_worker_init(worker: Worker) -> None:
    """Leave SIGINT, which Ctrl-C sends to the whole process group, to the master; say what this worker can take."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # all that is loaded by now stays; to search it again and again is of no use
    gc.set_threshold(GC_THRESHOLD)
    from ops.telemetry import metrics  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

    metrics.web_workers.set(1)
    metrics.web_threads.set(worker.cfg.threads)


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Forget the gauges of a dead worker and keep its counts."""
    if METRICS_DIRECTORY in os.environ:
        from prometheus_client import multiprocess  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

        from ops.telemetry import metrics_files  # noqa: PLC0415 - likewise

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call] # the library has no types here
        metrics_files.merge_dead(Path(os.environ[METRICS_DIRECTORY]), worker.pid)


def on_exit(server: Arbiter) -> None:
    """Remove the workers' metric files."""
    if directory := os.environ.get(METRICS_DIRECTORY):
        shutil.rmtree(directory, ignore_errors=True)
