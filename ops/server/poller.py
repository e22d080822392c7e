"""All connections of a worker in one epoll: accepted, reported once each time, ended when their time is over."""

from __future__ import annotations

import select
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from select import EPOLLIN, EPOLLONESHOT
from typing import Any
from wsgiref.util import FileWrapper

import structlog
from django.conf import settings

from ops.server.connection import LINGER, Connection, State
from ops.server.http1 import Environ
from ops.server.refusals import explain
from ops.turns import turn

log = structlog.get_logger(__name__)

ACCEPTS = 16  # connections at once; other workers want some as well
EVENTS = 128  # events at once
BLOCK = 65_536  # bytes of a file at once
IP_MINTTL, IPV6_MINHOPCOUNT = 21, 73  # Linux, <linux/in.h>, <linux/in6.h>; the standard library has no names for them
NO_CLIENT = 255  # more hops than the packets of a client have left


class Poller:
    """Hold the connections; the worker calls every method under its lock."""

    explain = staticmethod(explain)

    def __init__(self, cfg: Any, listeners: Iterable[Any], enqueue: Callable[[Connection], None]) -> None:
        self.keepalive = float(cfg.keepalive)
        self.max_body = int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        self.most = cfg.worker_connections
        self.enqueue = enqueue
        self.connections: dict[int, Connection] = {}
        self.peers: dict[int, threading.Lock] = {}  # the bells of threads that wait for a peer, by its descriptor
        self.idle_until: float | None = None  # set once no more connections are taken
        self.epoll = select.epoll()
        self.doorbell = select.poll()  # rings when the epoll has something, and takes nothing out of it
        self.doorbell.register(self.epoll, select.POLLIN)
        self.listeners = {listener.fileno(): listener for listener in listeners}
        for descriptor in self.listeners:
            self.epoll.register(descriptor, EPOLLIN | EPOLLONESHOT)
        self.base: Environ = {
            "SCRIPT_NAME": "",
            "SERVER_SOFTWARE": "gunicorn",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": cfg.workers > 1,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": lambda file, _size=BLOCK: FileWrapper(file, BLOCK),
            "wsgi.input_terminated": True,
        }

    @property
    def is_closing(self) -> bool:
        """Tell whether no more connections are taken."""
        return self.idle_until is not None

    def collect(self, now: float) -> None:
        """Let each connection go on that has something; enqueue those whose request is complete."""
        for descriptor, _ in self.epoll.poll(0, EVENTS):
            connection = self.connections.get(descriptor)
            try:
                if connection is not None:
                    connection.ready(now)
                elif bell := self.peers.pop(descriptor, None):
                    with suppress(OSError):  # the bell counts, whatever became of the descriptor
                        self.epoll.unregister(descriptor)
                    turn.claim(bell)
                elif (listener := self.listeners.get(descriptor)) and self._accept(listener, now, ACCEPTS):
                    self.epoll.modify(descriptor, EPOLLIN | EPOLLONESHOT)
            except Exception as error:  # it must not end the thread that leads
                log.error("worker.failed", exc_info=error)
                if connection is not None:
                    connection.close()

    def watch(self, descriptor: int, events: int, bell: threading.Lock) -> None:
        """Claim the turn for a thread as soon as its peer's descriptor is ready; it needs no lock."""
        self.epoll.register(descriptor, events)  # first, as the thread that finds the bell unregisters it
        self.peers[descriptor] = bell

    def unwatch(self, descriptor: int) -> bool:
        """Watch it no longer; return false if the turn was claimed. Of two threads, one gets the bell."""
        if self.peers.pop(descriptor, None) is None:
            return False
        with suppress(OSError):
            self.epoll.unregister(descriptor)
        return True

    def arm(self, connection: Connection, events: int) -> None:
        """Report the connection once, when it is ready for that."""
        self.epoll.modify(connection.descriptor, events | EPOLLONESHOT)

    def forget(self, connection: Connection) -> None:
        """Look after it no longer; the epoll forgets a closed socket by itself."""
        del self.connections[connection.descriptor]

    def sweep(self, now: float) -> None:
        """End what has taken too long; accept again where that failed."""
        for descriptor in self.listeners:
            self.epoll.modify(descriptor, EPOLLIN | EPOLLONESHOT)
        for connection in list(self.connections.values()):
            if connection.state in (State.QUEUED, State.WORKING):
                continue
            if now >= connection.deadline:
                connection.expire(now)
            elif connection.state is State.IDLE and self.idle_until is not None and now >= self.idle_until:
                connection.close()

    def stop_listening(self, now: float, *, refuse: bool) -> None:
        """Leave the sockets to those that go on with them; or have the kernel refuse new clients, and reset none.

        The clients that wait in the kernel's queue would be reset. So the kernel first overlooks new clients, which try
        again and are refused then. The worker takes those that it has accepted already, and then shuts the socket.
        """
        self.idle_until = now + LINGER  # a client may be about to send
        listeners, self.listeners = self.listeners, {}
        for descriptor, listener in listeners.items():
            self.epoll.unregister(descriptor)
            if refuse:
                _require_hops(listener, NO_CLIENT)
                self._accept(listener, now, sys.maxsize)
                with suppress(OSError):  # a sibling was faster
                    listener.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close all connections at once."""
        for connection in list(self.connections.values()):
            connection.close()

    def _accept(self, listener: Any, now: float, most: int) -> bool:
        """Accept connections; return whether the listener can have more now, rather than after a while."""
        for _ in range(most):
            if len(self.connections) >= self.most and not self._make_room():
                return False
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return True
            except OSError:  # no descriptor is left, or a sibling has shut the socket
                return False
            self._take(sock, address, now)
        return True

    def _make_room(self) -> bool:
        """Close the oldest of the connections that are idle."""
        idle = next((each for each in self.connections.values() if each.state is State.IDLE), None)
        if idle is not None:
            idle.close()
        return idle is not None

    def _take(self, sock: socket.socket, address: Any, now: float) -> None:
        sock.setblocking(False)
        if self.is_closing:
            _require_hops(sock, 0)  # it may have come after that was asked of the listener, whose options it has
        base = self.base.copy()
        if sock.family == socket.AF_UNIX:
            base |= {"REMOTE_ADDR": "", "SERVER_NAME": "localhost", "SERVER_PORT": "0"}
        else:
            name = sock.getsockname()
            base["REMOTE_ADDR"], base["REMOTE_PORT"] = address[0].removeprefix("::ffff:"), str(address[1])
            base["SERVER_NAME"], base["SERVER_PORT"] = name[0].removeprefix("::ffff:"), str(name[1])
        connection = Connection(sock, base, self, now)
        self.connections[connection.descriptor] = connection
        self.epoll.register(connection.descriptor, EPOLLIN | EPOLLONESHOT)


def _require_hops(sock: Any, least: int) -> None:
    """Have the kernel drop packets with fewer hops left (RFC 5082); a client's have 128 at the most, as a rule."""
    for level, option in ((socket.IPPROTO_IP, IP_MINTTL), (socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT)):
        with suppress(OSError):  # another family, or not Linux
            sock.setsockopt(level, option, least)
