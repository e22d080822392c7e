"""Clients that hold connections: silent ones, ones that send a byte now and then, ones that never read an answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.raw_http import request

PACE = 1.0  # seconds between two bytes of a slow client


def connect_many(port: int, count: int, *, send: bytes = b"", receive_buffer: int = 0) -> list[socket.socket]:
    """Return so many connections, each of which has sent the bytes."""
    connections = []
    for _ in range(count):
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", port))
        if send:
            connection.sendall(send)
        connections.append(connection)
    return connections


@contextmanager
def slow_clients(port: int, *, silent: int, slow: int, deaf: int, deaf_path: bytes) -> Iterator[None]:
    """Hold connections of all three kinds while the block runs."""
    connections = connect_many(port, silent)
    dripping = connect_many(port, slow, send=b"GET /products/1 HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    connections += connect_many(port, deaf, send=request(b"GET", deaf_path), receive_buffer=2048)
    stopped = threading.Event()

    def drip() -> None:
        while not stopped.wait(PACE):
            for connection in dripping:
                try:
                    connection.send(b"a")
                except OSError:  # it was told 408
                    continue

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        for connection in connections + dripping:
            connection.close()
