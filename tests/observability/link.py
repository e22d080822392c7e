"""A link between two processes that a test can slow down or cut."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.processes import free_port


class Link:
    """Forward TCP connections to a target, with a delay of `delay` seconds for each piece."""

    def __init__(self, host: str, port: int) -> None:
        self.port = free_port()
        self.delay = 0.0
        self._target = (host, port)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None

    def restore(self) -> None:
        """Accept connections again, on the same port."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
            threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections and drop open ones."""
        listener, self._listener = self._listener, None
        with self._lock:
            doomed = [*self._open, *([listener] if listener else [])]
            self._open.clear()
        for sock in doomed:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(self._target, timeout=10)
            except OSError:
                if self._listener is not listener:
                    return
                continue
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            for source, sink, delayed in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._forward, args=(source, sink, delayed), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, delayed: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if delayed and self.delay:
                    time.sleep(self.delay)
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        for sock in (source, sink):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@contextmanager
def link_to(host: str, port: int) -> Iterator[Link]:
    link = Link(host, port)
    link.restore()
    try:
        yield link
    finally:
        link.cut()
