"""gunicorn's configuration, hooks and worker: `DJANGO_SETTINGS_MODULE=… gunicorn -c python:ops.server.gunicorn`.

The lower-case names are gunicorn's settings (https://docs.gunicorn.org/en/stable/settings.html).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import json
import logging
import os
import resource
import select
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from django.conf import settings
from gunicorn import glogging, util
from gunicorn.arbiter import Arbiter
from gunicorn.http import errors
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import _DEFER, DEFAULT_WORKER_DATA_TIMEOUT

from ops.api.problems import CONTENT_TYPE, problem, reason_phrase
from ops.manage import load_config
from ops.server.health import is_draining, start_draining
from ops.server.linger import LingeringWorker
from ops.telemetry import request_context
from ops.turns import WorkInTurn, in_turn, waiting

service_config = load_config()  # `config` is a setting of gunicorn

SPARE_FILES = 100  # of those that a process may open, for what is no client's connection

bind = f"0.0.0.0:{service_config.port}"
wsgi_app = settings.WSGI_APPLICATION.replace(".application", ":application")
worker_class = "ops.server.gunicorn.Worker"
workers = service_config.web_concurrency
threads = service_config.web_threads
worker_connections = min(2000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
keepalive = 65  # seconds; longer than the 60 that load balancers keep an idle connection
graceful_timeout = 10  # seconds; past every deadline that a request has
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat must not wait for a disk
control_socket_disable = True  # its default path is shared by every service of a user
accesslog = None  # ops.server.middleware writes one line a request
logger_class = "ops.server.gunicorn.Logger"
logconfig_dict = settings.LOGGING

SIGN_OF_LIFE_EVERY = 0.5  # seconds; the master waits for 30
SHORTEST_REQUEST = 0.00025  # seconds, about; for so long the loop may rest for each request that waits
LONGEST_REST = 0.005  # seconds
SOCKET_TIMEOUT = 10  # seconds that one read from a client, or one write to it, may take
GARBAGE = 10_000  # objects after which Python looks for garbage in cycles; its own 700 are less than a request makes
SO_ATTACH_FILTER = 26  # Linux, <asm/socket.h>; the standard library has no name for it

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
os.environ.pop(METRICS_DIRECTORY, None)  # one process keeps its metrics in memory; see on_starting


class Logger(glogging.Logger):
    """Write no access log: any log configuration has the library make each line, whether or not it is written."""

    def _compute_access_log_enabled(self) -> bool:
        return False


def on_starting(server: Arbiter) -> None:
    """Make room for the workers' metrics; give SIGINT the grace of SIGTERM, and hurry on a second signal.

    SHUTDOWN_DELAY holds the first one back.
    """
    if service_config.web_concurrency > 1:
        # Before a worker imports prometheus_client; a new one, so that no value of another run is in it.
        os.environ[METRICS_DIRECTORY] = tempfile.mkdtemp(prefix=f"argos-metrics-{service_config.service}-")
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


def when_ready(server: Arbiter) -> None:
    """Bound each read and write on a client's connection; accepted sockets inherit it from the listening one."""
    timeout = struct.pack("ll", SOCKET_TIMEOUT, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
    logging.getLogger("gunicorn.error").addFilter(_is_no_slow_client)


def _is_no_slow_client(record: logging.LogRecord) -> bool:
    """Drop the traceback that gunicorn logs for a client that sent no complete request within SOCKET_TIMEOUT."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


def post_worker_init(worker: Worker) -> None:
    """Leave SIGINT, which Ctrl-C sends to the whole process group, to the master; say what this worker can take."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    SocketUnreader.chunk = _receive
    gc.collect()
    gc.freeze()  # what is loaded by now stays for good; to look through it again and again is for nothing
    gc.set_threshold(GARBAGE)
    from ops.telemetry import metrics  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

    metrics.web_workers.set(1)
    metrics.web_threads.set(worker.cfg.threads)


_wait_and_receive: Callable[..., bytes] = SocketUnreader.chunk


def _receive(unreader: SocketUnreader, size_hint: int | None = None) -> bytes:
    """Read from a client; let others compute if nothing is there yet."""
    try:
        received: bytes = unreader.sock.recv(unreader.mxchunk, socket.MSG_DONTWAIT)
    except BlockingIOError:
        with waiting:
            received = _wait_and_receive(unreader, size_hint)
    return received


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Forget the gauges of a dead worker."""
    if METRICS_DIRECTORY in os.environ:
        from prometheus_client import multiprocess  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call] # the library has no types here


def on_exit(server: Arbiter) -> None:
    """Remove the workers' metric files."""
    if directory := os.environ.get(METRICS_DIRECTORY):
        shutil.rmtree(directory, ignore_errors=True)


def _drop_new_connections(listener: socket.socket) -> None:
    """Let the kernel overlook new clients, which try again and are refused; else it resets those between two calls."""
    # Classic BPF over the TCP header: is SYN among the flags in byte 13? Then keep nothing of the packet, else all.
    program = struct.pack("=" + "HBBI" * 4, 0x30, 0, 0, 13, 0x45, 0, 1, 0x02, 0x06, 0, 0, 0, 0x06, 0, 0, 0xFFFFFFFF)
    buffer = ctypes.create_string_buffer(program)
    with contextlib.suppress(OSError):  # not Linux, or a sibling was faster
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 4, ctypes.addressof(buffer)))


class Worker(LingeringWorker):
    """A gthread worker that loses no connection when it stops and answers in problem+json what it cannot read."""

    STATUSES = (
        (errors.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long"),
        (errors.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"),
        (errors.UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED, "unsupported_transfer_coding"),
        (errors.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED, "expectation_failed"),
        (errors.InvalidResponseHeader, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"),
        (errors.InvalidResponseHeaderName, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"),
        (errors.ParseException, HTTPStatus.BAD_REQUEST, "bad_request"),
        (Exception, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"),
    )

    next_sign_of_life = 0.0  # on the monotonic clock

    def enqueue_req(self, conn: Any) -> None:
        conn.queued_at = time.monotonic()
        super().enqueue_req(conn)

    def get_thread_pool(self) -> Any:
        pool = super().get_thread_pool()
        pool._work_queue = WorkInTurn()  # noqa: SLF001 - the standard library has no public way
        return pool

    def handle(self, conn: Any) -> Any:
        """Handle a request; count for how long it waited for a thread and its turn."""
        from ops.telemetry import metrics  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

        metrics.web_queue_seconds_total.inc(time.monotonic() - conn.queued_at)
        if not conn.initialized:
            with waiting:
                has_data = conn.wait_for_data(DEFAULT_WORKER_DATA_TIMEOUT)
            if not has_data:
                return _DEFER  # as the library does
        return super().handle(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Look after the connections in turn with the requests, and less often while several of these are waiting.

        Each time costs the request that is computing its place. A new connection is not kept waiting.
        """
        if (queued := self.tpool._work_queue.qsize()) > 1:  # noqa: SLF001 - as above
            doorbell = select.poll()
            for listener in self.sockets if self._accepting else ():
                doorbell.register(listener, select.POLLIN)
            doorbell.poll(min(queued * SHORTEST_REQUEST, LONGEST_REST) * 1000)
        else:
            self.poller.select(timeout)
        with in_turn:
            super().wait_for_and_dispatch_events(0)

    def notify(self) -> None:
        """Tell the master that this worker lives: twice a second, not for each request."""
        now = time.monotonic()
        if now >= self.next_sign_of_life:
            self.next_sign_of_life = now + SIGN_OF_LIFE_EVERY
            super().notify()

    def is_parent_alive(self) -> bool:
        """Stop as on SIGTERM when the master was killed; else kept-alive clients hold the port from the next one."""
        alive: bool = super().is_parent_alive()
        if not alive:
            start_draining()
            self.alive = False
        return alive

    def set_accept_enabled(self, enabled: bool) -> None:
        """On the way out, take what the kernel has accepted already; then let it refuse rather than reset."""
        super().set_accept_enabled(enabled)
        if self.alive or enabled:
            return
        for listener in self.sockets:
            if is_draining():  # and not a reload, whose new workers go on with the same socket
                _drop_new_connections(listener.sock)
            while select.select([listener], [], [], 0)[0]:
                before = self.nr_conns
                self.accept(listener)
                if self.nr_conns == before:
                    break
            if is_draining():
                with contextlib.suppress(OSError):  # a sibling was faster
                    listener.sock.shutdown(socket.SHUT_RDWR)

    def accept(self, listener: Any) -> None:
        """Accept as many connections at once as there are threads; the library's loop takes one each time around."""
        for _ in range(self.cfg.threads):
            before = self.nr_conns
            try:
                super().accept(listener)
            except OSError as error:
                if error.errno != errno.EINVAL:  # a sibling has shut the socket that all workers share
                    raise
            if self.nr_conns == before or self.nr_conns >= self.worker_connections:
                return

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that never reached Django; neither the answer nor the log repeats what was sent."""
        from ops.telemetry import metrics  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

        status, code = next((status, code) for kind, status, code in self.STATUSES if isinstance(exc, kind))
        request_context.begin()
        structlog.get_logger("ops.server.gunicorn").log(
            logging.ERROR if status >= 500 and code == "internal_error" else logging.WARNING,
            "request.unreadable",
            status=int(status),
            error=type(exc).__name__,
            client=addr[0] if addr else None,
            **({"exc_info": exc} if code == "internal_error" else {}),
        )
        metrics.http_requests_total.labels("other", metrics.UNMATCHED, int(status)).inc()
        body = json.dumps(problem(status, code, "The request could not be read as HTTP.")).encode()
        head = (
            f"HTTP/1.1 {int(status)} {reason_phrase(status)}\r\nConnection: close\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + body)
        except OSError:
            self.log.debug("The client was gone before it was answered.")
