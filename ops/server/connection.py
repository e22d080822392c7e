"""One client's connection, as a state machine that never blocks.

            first byte        empty line         all of it        a thread
    IDLE ─────────────▶ HEAD ───────────▶ BODY ───────────▶ QUEUED ───────▶ WORKING
     ▲                   │                 │                  │ ▲              │
     │                   │ too late: 408   │ too large: 413   │ │ more of      │ the answer
     │                   │ no HTTP: 400 …  │ cut short: 400   │ │ a stream     │
     │                   ▼                 ▼                  ▼ │              │
     │                 ┌──────────────────────────────────────────┐            │
     └─────────────────┤ WRITING: what the client has not taken   │◀───────────┘
       keep-alive      └────────────────────┬─────────────────────┘
                                            │ Connection: close
                                            ▼
                                       LINGERING ───▶ CLOSED    (any state: reset, or too slow to write to)

The poller reports a connection once each time it is armed, so in QUEUED and WORKING nothing but its thread touches it.
IDLE and LINGERING cost a descriptor; HEAD and BODY what was received; WRITING one answer, or one block of a stream.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from enum import Enum, auto
from select import EPOLLIN, EPOLLOUT
from typing import Any, Protocol

from ops.server.errors import BodyTooLarge, ReceiveTimeout, Refusal, UnreadableBody
from ops.server.http1 import CONTINUE, Chunks, Environ, Request, find_head, read_head

HEAD_TIMEOUT = 10.0  # seconds from a request's first byte to the end of its head
BODY_TIMEOUT = 10.0  # seconds that a body may take from the request's first byte on, and an answer to be taken ...
LEAST_RATE = 16_384  # ... plus one for each so many bytes
LINGER = 2.0  # seconds in which a client may read the answer, finish sending and hang up (RFC 9112, section 9.6)
RECEIVE = 65_536  # bytes at once


class State(Enum):
    """Where a connection stands."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    QUEUED = auto()
    WORKING = auto()
    WRITING = auto()
    LINGERING = auto()
    CLOSED = auto()


class Server(Protocol):
    """The worker, as a connection needs it."""

    keepalive: float
    max_body: int

    def arm(self, connection: Connection, events: int) -> None:
        """Report the connection once, when it is ready for that."""

    def enqueue(self, connection: Connection) -> None:
        """Let a thread take it up: it has a request, or more of a stream to be sent."""

    def forget(self, connection: Connection) -> None:
        """Look after it no longer."""

    def explain(self, refusal: Refusal, environ: Environ, *, keep_alive: bool) -> bytes:
        """Log and count the refusal; return the whole answer."""


class Connection:
    """The states of one connection; the worker calls every method under its lock."""

    def __init__(self, sock: socket.socket, base: Environ, server: Server, now: float) -> None:
        self.sock = sock
        self.descriptor = sock.fileno()
        self.base = base  # the beginning of each request's environ
        self.server = server
        self.state = State.IDLE
        self.deadline = now + server.keepalive
        self.begun = now  # when the request's first byte came, or the answer's first was sent
        self.arrived = now  # when the request was complete
        self.moved = 0  # bytes of the body that came, or of the answer that went
        self.buffer = bytearray()
        self.searched = 0  # bytes of the buffer that hold no end of a head
        self.request: Request | None = None
        self.lane: Any = None  # of the worker, while a thread works on it
        self.chunks: Chunks | None = None
        self.keep_alive = True
        self.pending: bytes | memoryview = b""
        self.stream: Iterator[bytes] | None = None

    def ready(self, now: float) -> None:
        """Go on, as the poller has reported the connection."""
        if self.state is State.WRITING:
            if self._send(now):
                self.sent(now)
            return
        try:
            data = self.sock.recv(RECEIVE)
        except BlockingIOError:
            self.server.arm(self, EPOLLIN)
            return
        except OSError:
            self.close()
            return
        if self.state is State.LINGERING:
            self.server.arm(self, EPOLLIN) if data else self.close()
        elif data:
            self.buffer += data
            self._advance(now, len(data))
        elif self.state is State.BODY:
            self.refuse(UnreadableBody("BodyCutShort"), now)
        else:
            self.close()

    def expire(self, now: float) -> None:
        """End what has taken too long."""
        if self.state in (State.HEAD, State.BODY):
            self.refuse(ReceiveTimeout(), now)
        else:
            self.close()

    def refuse(self, refusal: Refusal, now: float, *, keep_alive: bool = False) -> None:
        """Answer in the application's place."""
        environ = refusal.environ or (self.request.environ if self.request else self.base)
        self.write(self.server.explain(refusal, environ, keep_alive=keep_alive), None, now, keep_alive=keep_alive)

    def write(self, data: bytes, stream: Iterator[bytes] | None, now: float, *, keep_alive: bool) -> None:
        """Begin an answer: the data first, then the stream, as the client takes it."""
        self.keep_alive = keep_alive
        self.stream = stream
        self.begun = now
        self.moved = 0
        self.write_on(data, now)
        if self.state is State.WRITING and not self.pending:
            self.sent(now)

    def write_on(self, data: bytes, now: float) -> bool:
        """Send what the client takes of the data; return whether that was all of it."""
        if self.state is State.CLOSED:  # its time was over while a thread worked on it
            return False
        self.state = State.WRITING
        self.pending = data
        return self._send(now)

    def sent(self, now: float) -> None:
        """Go on after what was written: with the stream, the next request, or the end."""
        if self.stream is not None:
            self.state = State.QUEUED
            self.server.enqueue(self)
            return
        self.request = None
        if not self.keep_alive:
            self._linger(now)
            return
        self.state = State.IDLE
        self.deadline = now + self.server.keepalive
        if self.buffer:
            self._advance(now, 0)
        else:
            self.server.arm(self, EPOLLIN)

    def close(self) -> None:
        """Close it at once."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.server.forget(self)
        self.sock.close()
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()  # type: ignore[attr-defined] # a generator: ops.server.answer makes it
        self.request = None

    def _advance(self, now: float, received: int) -> None:
        """Go on with what was received."""
        if self.state is State.IDLE:
            self.state = State.HEAD
            self.begun = now
            self.deadline = now + HEAD_TIMEOUT
        try:
            if self.request is None and (end := find_head(self.buffer, self.searched)) < 0:
                self.searched = len(self.buffer)
                self.server.arm(self, EPOLLIN)
                return
            request = self.request or self._take_head(end)
            self.moved += received
            body = self._body(request)
        except Refusal as refusal:
            self.refuse(refusal, now)
            return
        if body is None:
            self.deadline = self.begun + BODY_TIMEOUT + self.moved / LEAST_RATE
            self._ask_for_body(request)
            self.server.arm(self, EPOLLIN)
            return
        request.complete(body)
        self.chunks = None
        self.arrived = now
        self.state = State.QUEUED
        self.server.enqueue(self)

    def _take_head(self, end: int) -> Request:
        head = bytes(self.buffer[:end])
        del self.buffer[: end + 4]
        self.searched = self.moved = 0
        self.state = State.BODY
        self.request = request = read_head(head, self.base)
        if request.length is None:
            self.chunks = Chunks(self.server.max_body)
        elif request.length > self.server.max_body:
            raise BodyTooLarge
        return request

    def _body(self, request: Request) -> bytes | bytearray | None:
        """Return the whole body, or None while more is to come."""
        if self.chunks is not None:
            return self.chunks.body if self.chunks.feed(self.buffer) else None
        length = request.length or 0
        if len(self.buffer) < length:
            return None
        body = bytes(self.buffer[:length])
        del self.buffer[:length]
        return body

    def _ask_for_body(self, request: Request) -> None:
        """Send 100 Continue once, where the client waits for it (RFC 9110, section 10.1.1)."""
        if request.expects_continue:
            request.expects_continue = False
            try:
                self.sock.send(CONTINUE)
            except OSError:  # a full buffer, or gone; the client sends after a while anyway, or reading will tell
                return

    def _send(self, now: float) -> bool:
        """Send what is pending; return whether nothing is left of it."""
        try:
            sent = self.sock.send(self.pending) if self.pending else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return False
        self.moved += sent
        if sent < len(self.pending):
            self.pending = memoryview(self.pending)[sent:]
            self.deadline = self.begun + BODY_TIMEOUT + self.moved / LEAST_RATE
            self.server.arm(self, EPOLLOUT)
            return False
        self.pending = b""
        return True

    def _linger(self, now: float) -> None:
        """Say that nothing more comes, and wait for the client to hang up: a reset could overtake the answer."""
        self.chunks = None
        self.buffer.clear()
        self.state = State.LINGERING
        self.deadline = now + LINGER
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:  # the client was faster
            self.close()
        else:
            self.server.arm(self, EPOLLIN)
