"""A products service on a real socket with scripted answers, which counts its requests.

A script gets the wire of one connection each time a request has been read from it. Unless it hangs up, the connection
stays for the next request.
"""

from __future__ import annotations

import gzip
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from django.test import override_settings

from orders_project.config import OrdersConfig
from orders_project.orders.products_client import products_client

TEN_MEGABYTES = 10 * 1024 * 1024
DRIP_EVERY = 0.05  # seconds


@dataclass
class Wire:
    """One accepted connection and the steps of scripts."""

    sock: socket.socket
    stopped: threading.Event
    requests: int = 0
    product_id: int = 0
    headers: bytes = b""
    body: bytes = b""
    _received: bytes = field(default=b"", repr=False)

    def read_request(self) -> bool:
        """Read one request; return false if the connection has ended."""
        with suppress(OSError):
            while b"\r\n\r\n" not in self._received:
                chunk = self.sock.recv(65_536)
                if not chunk:
                    return False
                self._received += chunk
            self.headers, _, self._received = self._received.partition(b"\r\n\r\n")
            length = re.search(rb"\r\nContent-Length: (\d+)", self.headers)
            while length and len(self._received) < int(length[1]):
                chunk = self.sock.recv(65_536)
                if not chunk:
                    return False
                self._received += chunk
            end = int(length[1]) if length else 0
            self.body, self._received = self._received[:end], self._received[end:]
            asked = re.match(rb"GET /products/(\d+) HTTP/1.1\r\n", self.headers)
            self.product_id = int(asked[1]) if asked else 0
            self.requests += 1
            return True
        return False

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send one well-formed answer."""
        fields = {"Content-Length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode("latin-1") + body)

    def answer_product(self, product_id: int | None = None) -> None:
        body = b'{"id": %d, "name": "Quantum Laptop"}' % (product_id or self.product_id)
        self.answer(200, body, Content_Type="application/json")

    def stall(self) -> None:
        """Keep the connection open in silence until the peer is stopped."""
        self.stopped.wait()

    def drip(self, data: bytes) -> None:
        """Send `data` repeatedly, one byte every 50 ms, for ever."""
        while True:
            for byte in data:
                self.send(bytes([byte]))
                if self.stopped.wait(DRIP_EVERY):
                    return

    def hang_up(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Script = Callable[[Wire], None]


class ScriptedProducts:
    """Run `script` for every request, or once for each connection if it is one of AT_ACCEPT."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.tries = 0
        self.connections = 0
        self.while_serving: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._wires: list[Wire] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in self._wires:
            with suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                wire = Wire(self._listener.accept()[0], self._stopped)
                self.connections += 1
                self._wires.append(wire)
                self._start(self._serve, wire)

    def _serve(self, wire: Wire) -> None:
        with wire.sock, suppress(OSError):  # the client has given up
            if self.script in AT_ACCEPT:
                self._run(wire)
            while wire.read_request():
                self._run(wire)

    def _run(self, wire: Wire) -> None:
        with self._lock:
            self.tries += 1
        self.while_serving()
        self.script(wire)


# Scripts that end the connection.


def reset(wire: Wire) -> None:
    wire.reset()


def reset_on_accept(wire: Wire) -> None:
    wire.reset()


AT_ACCEPT = {reset_on_accept}


def reset_in_the_body(wire: Wire) -> None:
    wire.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": 1, ')
    wire.reset()


def hang_up(wire: Wire) -> None:
    wire.hang_up()


def hang_up_when_reused(wire: Wire) -> None:
    if wire.requests > 1:
        wire.hang_up()
    else:
        wire.answer_product()


def product_then_hang_up(wire: Wire) -> None:
    wire.answer_product()
    wire.hang_up()


# Scripts that take their time.


def stall_before_the_status(wire: Wire) -> None:
    wire.stall()


def drip_headers(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\n")
    wire.drip(b"X-Patience: yes\r\n")


def stall_in_the_body(wire: Wire) -> None:
    wire.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": 1, ')
    wire.stall()


def drip_body(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    wire.drip(b" ")


def drip_chunks(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    wire.drip(b"1\r\n \r\n")


def drip_continue(wire: Wire) -> None:
    wire.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def hint_and_stall(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
    wire.stall()


# Scripts that bend HTTP.


def flood_continue(wire: Wire) -> None:
    while True:
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def not_http(wire: Wire) -> None:
    wire.send(b"SSH-2.0-OpenSSH_10.0\r\n")
    wire.hang_up()


def end_before_content_length(wire: Wire) -> None:
    wire.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": 1, "name": "Quantum Laptop"}')
    wire.hang_up()


def content_length_too_short(wire: Wire) -> None:
    wire.send(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"id": 1, "name": "Quantum Laptop"}')


def chunk_of_negative_size(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n")
    wire.stall()


def endless_chunk_of_size_minus_one(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
    _flood(wire)


def ten_megabytes(wire: Wire) -> None:
    wire.answer(200, b"[" * TEN_MEGABYTES)


def ten_megabytes_until_the_end(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * TEN_MEGABYTES)
    wire.hang_up()


def ten_megabytes_in_chunks(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(TEN_MEGABYTES // 65_536):
        wire.send(b"10000\r\n" + b"[" * 65_536 + b"\r\n")
    wire.send(b"0\r\n\r\n")


def gzip_bomb(wire: Wire) -> None:
    wire.answer(200, gzip.compress(b"[" * TEN_MEGABYTES), Content_Encoding="gzip")


def redirect_with_an_endless_body(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n")
    _flood(wire)


def _flood(wire: Wire) -> None:
    while True:
        wire.send(b"[" * 65_536)


# Scripts that are proper HTTP.


def product(wire: Wire) -> None:
    wire.answer_product()


def another_product(wire: Wire) -> None:
    wire.answer_product(wire.product_id + 1)


def status(code: int, body: bytes = b"{}", **headers: str) -> Script:
    """Return a script with this answer."""
    return lambda wire: wire.answer(code, body, **headers)


def no_such_product(wire: Wire) -> None:
    wire.answer(404, b'{"code": "not_found"}', Content_Type="application/problem+json")


def body(content: bytes, content_type: str = "application/json") -> Script:
    """Return a script that answers 200 with this body."""
    return status(200, content, Content_Type=content_type)


# Cases without a server.


@dataclass
class Nobody:
    """Listen in place of products, without a script."""

    url: str
    tries: int = 0


@contextmanager
def nothing_listens() -> Iterator[Nobody]:
    with socket.socket() as bound:  # keeps the port from everybody else
        bound.bind(("127.0.0.1", 0))
        yield Nobody(f"http://127.0.0.1:{bound.getsockname()[1]}")


@contextmanager
def no_such_name() -> Iterator[Nobody]:
    yield Nobody("http://products.invalid")


@contextmanager
def black_hole() -> Iterator[Nobody]:
    """Yield an address with a full connection queue, so that the kernel drops new connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        try:
            yield Nobody(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            for sock in waiting:
                sock.close()


@dataclass
class Clock:
    """Stand still until a test moves it on."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def orders_asking(url: str, clock: Clock | None = None, /, **variables: Any) -> Iterator[OrdersConfig]:
    """Let orders ask the products at `url`, with a client of its own: fresh connections, breaker and budget.

    Its breaker goes by `clock`: its window is not over before a slow machine has filled it.
    """
    config = OrdersConfig(products_service_url=url, **variables)
    products_client.cache_clear()
    with override_settings(CONFIG=config):
        products_client()._client._breaker._clock = clock or Clock()
        try:
            yield config
        finally:
            products_client.cache_clear()
