"""gunicorn's worker for Argos: leader and followers, and no client can hold a thread.

    FOLLOWER ──────▶ LEADER ─────────▶ WORKING ◀────────▶ WAITING (for a peer or a database: `with waiting`)
       ▲    promoted   │ ▲   a request   │
       │               ▼ │               │ no request is left
       │             doorbell            │
       └─────────────────────────────────┘ unless the lead is free

All connections stand in one poller (`ops.server.connection` draws their states). One idle thread, the leader, waits for
it to ring. With the turn (`ops.turns`) it collects what has arrived and works on the first request itself, so no other
thread is woken. Between two requests the working thread collects again. A thread that waits for a peer promotes a
follower first. The main thread is the clock: deadlines, the master's sign of life, and a promotion where a thread keeps
the turn for long. There are more threads than WEB_THREADS, so that probes and the poller always have one.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from gunicorn.workers.base import Worker as BaseWorker

from ops.server.answer import respond
from ops.server.connection import Connection, State
from ops.server.errors import ApplicationFailed, QueueTimeout
from ops.server.health import is_draining, start_draining
from ops.server.http1 import Request
from ops.server.poller import Poller
from ops.telemetry.request_context import ARRIVED_AT
from ops.turns import turn

log = structlog.get_logger(__name__)

RESERVED = 3  # threads beyond WEB_THREADS: one for the poller, two for probes that wait
TICK = 0.1  # seconds between two looks of the main thread
SWEEP = 0.5  # seconds between two looks at the deadlines of all connections
COLLECT = 0.005  # seconds; so old may what was collected be while requests are queued
BLOCKS = 16  # of a stream before others get their turn


@dataclass
class Lane:
    """Requests that wait, in their order, and how many threads may be at such ones."""

    limit: int
    queue: deque[Connection] = field(default_factory=deque)
    running: int = 0

    def has_work(self) -> bool:
        """Tell whether a thread may begin one of them."""
        return bool(self.queue) and self.running < self.limit


class Worker(BaseWorker):
    """Serve requests with a fixed number of threads."""

    shares_socket = False  # with a service manager, or another master: then it stays open when this one stops

    def run(self) -> None:
        """Serve until told to stop, or until the master is gone; then drain."""
        self._set_up()
        for number in range(self.cfg.threads + RESERVED):
            threading.Thread(target=self._serve, name=f"web-{number}", daemon=True).start()
        while self.alive and os.getppid() == self.ppid:
            self._tick()
            self._rest()
        if self.alive:  # the master was killed: kept-alive clients must not hold the port from the next one
            start_draining()
        self._drain()

    def _set_up(self) -> None:
        from ops.telemetry import metrics  # noqa: PLC0415 - only once PROMETHEUS_MULTIPROC_DIR is set

        self.metrics = metrics
        self.patience = settings.CONFIG.web_queue_timeout
        self.mutex = threading.Lock()  # around connections, lanes and roles; never while the application runs
        self.followers: list[threading.Lock] = []  # the bells of idle threads; the last one has the warmest caches
        self.has_leader = False
        self.ordinary = Lane(self.cfg.threads)
        probes = Lane(RESERVED - 1)
        self.streams = Lane(self.cfg.threads)
        # In the order in which they are served: those that never wait, those that may, streams, new requests.
        self.lanes = [Lane(sys.maxsize), probes, self.streams, self.ordinary]
        self.lane_of = {"/healthz": self.lanes[0], "/readyz": probes, "/metrics": probes}
        self.poller = Poller(self.cfg, self.sockets, self.enqueue)
        self.collected = self.next_sweep = 0.0
        self.stints = -1
        turn.before_waiting, turn.watcher = self._promote, self.poller

    # The threads

    def _serve(self) -> None:
        """Be a follower, the leader, or at work, for ever."""
        bell = threading.Lock()
        bell.acquire()
        leads = self._lead_or_follow(bell)
        while True:
            turn.take()
            while (connection := self._next()) is not None:
                if leads:
                    leads = self.has_leader = False
                self._work(connection)
                turn.give()  # in the order of the claims: others may come first
                turn.take()
            turn.give()
            if not leads:
                leads = self._lead_or_follow(bell)
            else:
                self.poller.doorbell.poll()

    def _lead_or_follow(self, bell: threading.Lock) -> bool:
        """Take the lead if it is free; else sleep until promoted."""
        with self.mutex:
            if not self.has_leader:
                self.has_leader = True
                return True
            self.followers.append(bell)
        return bell.acquire()

    def _promote(self) -> None:
        """See that a thread leads."""
        with self.mutex:
            if self.has_leader or not self.followers:
                return
            self.has_leader = True
            bell = self.followers.pop()
        bell.release()

    def _next(self) -> Connection | None:
        """Return a connection to work on, or None where there is none that this thread may begin."""
        now = time.monotonic()
        with self.mutex:
            if now - self.collected > COLLECT or not any(lane.has_work() for lane in self.lanes):
                self.collected = now
                self.poller.collect(now)
            self._shed(now)
            for lane in self.lanes:
                if lane.has_work():
                    lane.running += 1
                    connection = lane.queue.popleft()
                    connection.state = State.WORKING
                    connection.lane = lane
                    return connection
        return None

    def _work(self, connection: Connection) -> None:
        lane = connection.lane
        turn.begin_work(connection.arrived)
        try:
            if connection.stream is not None:
                self._pump(connection, connection.stream)
            elif connection.request is not None:
                self._answer(connection, connection.request)
        except Exception as error:
            log.error("worker.failed", exc_info=error)
            with self.mutex:
                connection.close()
        finally:
            turn.end_work()
            with self.mutex:
                lane.running -= 1

    def _answer(self, connection: Connection, request: Request) -> None:
        if connection.lane is self.ordinary:
            self.metrics.web_queue_seconds_total.inc(time.monotonic() - connection.arrived)
        self.nr += 1
        if self.nr >= self.max_requests:
            self.alive = False
        if self.poller.is_closing:
            request.keep_alive = False
        request.environ[ARRIVED_AT] = connection.arrived
        try:
            answer = respond(self.wsgi, request)
        except Exception as error:  # noqa: BLE001 - whatever an application raises
            refusal = ApplicationFailed(type(error).__name__)
            refusal.__cause__ = error
            with self.mutex:
                connection.refuse(refusal, time.monotonic())
            return
        with self.mutex:
            connection.write(answer.data, answer.stream, time.monotonic(), keep_alive=answer.keep_alive)
        if answer.close is not None:
            answer.close()

    def _pump(self, connection: Connection, stream: Iterator[bytes]) -> None:
        """Send more of a stream, for as long as the client takes it."""
        for _ in range(BLOCKS):
            block = next(stream, None)
            with self.mutex:
                if block is None:
                    connection.stream = None
                    break
                if not connection.write_on(block, time.monotonic()):
                    return
        with self.mutex:
            connection.sent(time.monotonic())

    def enqueue(self, connection: Connection) -> None:
        """Let a thread take up the connection's request, or more of its stream."""
        if connection.stream is not None or connection.request is None:
            self.streams.queue.append(connection)
        else:
            self.lane_of.get(connection.request.environ["PATH_INFO"], self.ordinary).queue.append(connection)

    def _shed(self, now: float) -> None:
        """Refuse requests that could not be begun in time; a client may still be waiting for the answer."""
        queue = self.ordinary.queue
        while queue and now - queue[0].arrived > self.patience:
            connection = queue.popleft()
            self.metrics.web_queue_seconds_total.inc(now - connection.arrived)
            request = connection.request
            keep_alive = request is not None and request.keep_alive and not self.poller.is_closing
            connection.refuse(QueueTimeout(), now, keep_alive=keep_alive)

    # The main thread

    def _rest(self) -> None:
        """Wait for a signal, or for the next tick."""
        if select.select([self.PIPE[0]], [], [], TICK)[0]:
            with suppress(BlockingIOError):
                os.read(self.PIPE[0], 4096)

    def _tick(self) -> None:
        self.notify()
        now = time.monotonic()
        with self.mutex:
            self._shed(now)
            if now >= self.next_sweep:
                self.next_sweep = now + SWEEP
                self.poller.sweep(now)
            oldest = self.ordinary.queue[0].arrived if self.ordinary.queue else now
            self.metrics.web_queue_length.set(len(self.ordinary.queue))
            self.metrics.web_queue_age_seconds.set(now - oldest)
            self.metrics.web_connections.set(len(self.poller.connections))
        if turn.stints == self.stints or not turn.is_taken:
            self._promote()
        self.stints = turn.stints

    def _drain(self) -> None:
        """Take no more connections, finish what has begun, and end."""
        now = time.monotonic()
        with self.mutex:
            # Not where the service goes on: after a reload, or with the socket of a service manager.
            self.poller.stop_listening(now, refuse=is_draining() and not self.shares_socket)
        deadline = now + self.cfg.graceful_timeout - 1
        while self.poller.connections and time.monotonic() < deadline:
            self.next_sweep = 0.0
            self._tick()
            self._rest()
        with self.mutex:
            self.poller.close()
