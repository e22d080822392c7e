"""A worker of one connection whose poller, clock and threads are the test's own."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

from ops.server.connection import Connection, State
from ops.server.errors import Refusal
from ops.server.http1 import Environ

LIMIT = 4_096  # bytes of a body


class ScriptedWorker:
    """Stand in for poller and worker; answer each request with its own path and body."""

    keepalive = 65.0
    max_body = LIMIT

    def __init__(self, *, send_buffer: int = 0) -> None:
        self.client, server = socket.socketpair()
        if send_buffer:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        server.setblocking(False)
        self.client.setblocking(False)
        self.now = 1_000.0
        self.armed = select.EPOLLIN
        self.queued = False
        self.forgotten = 0
        self.requests: list[tuple[str, str, bytes]] = []
        self.refusals: list[Refusal] = []
        self.connection = Connection(server, {"REMOTE_ADDR": "192.0.2.1"}, self, self.now)

    def arm(self, connection: Connection, events: int) -> None:
        assert connection.state not in (State.QUEUED, State.WORKING, State.CLOSED)
        self.armed = events

    def enqueue(self, connection: Connection) -> None:
        assert not self.queued
        assert not self.armed
        self.queued = True

    def forget(self, connection: Connection) -> None:
        self.forgotten += 1
        self.armed = 0

    def explain(self, refusal: Refusal, environ: Environ, *, keep_alive: bool) -> bytes:
        self.refusals.append(refusal)
        return b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % refusal.status

    def poll(self) -> bool:
        """Report the connection, if it is armed and ready; return whether it was."""
        if not self.armed or self.connection.state is State.CLOSED:
            return False
        poll = select.poll()
        poll.register(self.connection.sock, self.armed)
        if not poll.poll(0):
            return False
        self.armed = 0
        self.connection.ready(self.now)
        return True

    def work(self, *, stream: Iterator[bytes] | None = None, padding: int = 0) -> bool:
        """Do what a thread does; return whether there was something to do."""
        if not self.queued:
            return False
        self.queued = False
        connection = self.connection
        assert connection.state is State.QUEUED
        connection.state = State.WORKING
        if connection.stream is not None:
            self._pump()
            return True
        request = connection.request
        assert request is not None
        environ = request.environ
        body = environ["wsgi.input"].read()
        assert int(environ.get("CONTENT_LENGTH") or 0) == len(body)
        self.requests.append((environ["REQUEST_METHOD"], environ["RAW_URI"], body))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n"
        data = head % (padding, b"keep-alive" if request.keep_alive else b"close") + b"x" * padding
        connection.write(data, stream, self.now, keep_alive=request.keep_alive)
        return True

    def _pump(self) -> None:
        connection = self.connection
        assert connection.stream is not None
        block = next(connection.stream, None)
        if block is None:
            connection.stream = None
            connection.sent(self.now)
        elif connection.write_on(block, self.now):
            connection.sent(self.now)

    def sweep(self) -> None:
        """Do what the main thread does."""
        connection = self.connection
        if connection.state in (State.QUEUED, State.WORKING, State.CLOSED):
            return
        if self.now >= connection.deadline:
            self.armed = 0
            connection.expire(self.now)

    def settle(self) -> None:
        """Go on until nothing more happens by itself."""
        while self.poll() or self.work():
            pass

    def close(self) -> None:
        self.client.close()
        self.connection.close()


def exchange(data: bytes, *, size: int = 16_384) -> ScriptedWorker:
    """Return the worker after a client has sent all of this, so many bytes at once, and then no more."""
    worker = ScriptedWorker()
    try:
        left = memoryview(data)
        while left and worker.connection.state not in (State.LINGERING, State.CLOSED):
            left = left[worker.client.send(left[:size]) :]
            worker.settle()
        worker.client.shutdown(socket.SHUT_WR)
        worker.settle()
        assert worker.connection.state is State.CLOSED
    except (BrokenPipeError, ConnectionResetError):
        assert worker.connection.state is State.CLOSED
    finally:
        worker.close()
    return worker
