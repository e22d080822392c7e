"""A TCP proxy that damages one link like a network; set `fault` of the object that `toxic_proxy` yields."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PIECE = 65_536
SLOW_PIECE = 64  # bytes under a limited bandwidth, so that data trickle


@dataclass(frozen=True)
class Fault:
    """The damage to every connection from now on, including open ones."""

    latency: float = 0.0  # seconds of delay for each piece, in both directions
    jitter: float = 0.0  # up to this many more seconds, random for each piece
    bytes_per_second: int = 0
    reset: bool = False  # reset on the client's next bytes
    half_close: bool = False  # after the client's next bytes the server sees the end of the stream; its answer passes
    black_hole: bool = False  # all bytes wait until the fault is removed; connections stay open
    answer_bytes: int | None = None  # the connection ends after this many bytes of an answer
    cut_after_request: bool = False  # the client's next bytes pass, then both ends are reset


NONE = Fault()


@dataclass(eq=False)
class Connection:
    """The two sockets of one connection."""

    client: socket.socket
    server: socket.socket
    is_reset: bool = False

    def reset(self) -> None:
        """Reset both sides, as a lost peer does; a reading thread wakes up."""
        self.is_reset = True  # so that the reading thread does not treat it as a normal end and forward that first
        for side in (self.client, self.server):
            with suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):
                side.shutdown(socket.SHUT_RD)
        for side in (self.client, self.server):
            side.close()

    def end(self) -> None:
        """Close both sides normally."""
        for side in (self.client, self.server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


@dataclass(eq=False)
class Link:
    """A proxy in front of one port."""

    upstream: int
    seed: int = 1
    connections: set[Connection] = field(default_factory=set)
    _fault: Fault = NONE
    _listener: socket.socket = field(init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        with self._changed:
            self._fault = fault
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self.connections):
            connection.reset()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream), timeout=5)
            except OSError:  # a refused connection there is a reset here
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                continue
            server.settimeout(None)
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(client, server)
            self.connections.add(connection)
            for pump in (self._send_requests, self._send_answers):
                threading.Thread(target=self._run, args=(pump, connection), daemon=True).start()

    def _run(self, pump: object, connection: Connection) -> None:
        assert callable(pump)
        try:
            pump(connection)
        except OSError:  # one side was reset: reset the other
            connection.reset()
        if connection.client.fileno() == -1 or connection.server.fileno() == -1:
            self.connections.discard(connection)

    def _send_requests(self, connection: Connection) -> None:
        while data := connection.client.recv(PIECE):
            fault = self._hold()
            if fault.reset:
                connection.reset()
                return
            self._pass(data, connection.server, fault)
            if fault.cut_after_request:
                connection.reset()
                return
            if fault.half_close:
                break
        if not connection.is_reset:
            connection.server.shutdown(socket.SHUT_WR)

    def _send_answers(self, connection: Connection) -> None:
        while data := connection.server.recv(PIECE):
            fault = self._hold()
            if fault.cut_after_request:  # the answer may be faster than the cut
                continue
            if fault.answer_bytes is not None:
                connection.client.sendall(data[: fault.answer_bytes])
                connection.end()
                return
            self._pass(data, connection.client, fault)
        self._hold()
        if not connection.is_reset:
            connection.client.shutdown(socket.SHUT_WR)
            connection.end()

    def _hold(self) -> Fault:
        """Wait while the link is a black hole; return the fault after it."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._fault.black_hole)
            return self._fault

    def _pass(self, data: bytes, to: socket.socket, fault: Fault) -> None:
        delay = fault.latency + self._chance.random() * fault.jitter
        if delay:
            time.sleep(delay)
        if not fault.bytes_per_second:
            to.sendall(data)
            return
        for start in range(0, len(data), SLOW_PIECE):
            to.sendall(data[start : start + SLOW_PIECE])
            time.sleep(SLOW_PIECE / fault.bytes_per_second)


@contextmanager
def toxic_proxy(upstream: int, *, seed: int = 1) -> Iterator[Link]:
    """Yield a link to a port of this machine, initially without a fault."""
    link = Link(upstream, seed)
    try:
        yield link
    finally:
        link.close()
