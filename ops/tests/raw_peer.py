"""A server of raw bytes: the test scripts each connection."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

CERTIFICATE = Path(__file__).with_name("localhost.pem")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


@dataclass
class RawPeer:
    """Where the server listens and what it has received: one request head for each list entry."""

    address: tuple[str, int]
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.address[1]}/"

    def read_request(self, sock: socket.socket) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            received = sock.recv(65_536)
            if not received:
                raise ConnectionError("the client has hung up")
            head += received
        self.requests.append(head)
        return head

    def answer_forever(self, sock: socket.socket) -> None:
        while True:
            self.read_request(sock)
            sock.sendall(ANSWER)


@contextmanager
def raw_peer(
    serve: Callable[[RawPeer, socket.socket], None],
    *,
    tls: bool = False,
    host: str = "127.0.0.1",
    asks_for_certificate: bool = False,
) -> Iterator[RawPeer]:
    """Call `serve` with each connection in a new thread, over TLS if requested."""
    listener = socket.create_server((host, 0), backlog=64)
    peer = RawPeer(listener.getsockname())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    if asks_for_certificate:
        context.load_verify_locations(CERTIFICATE)
        context.verify_mode = ssl.CERT_REQUIRED
    threads: list[threading.Thread] = []

    def handle(sock: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(sock, server_side=True) if tls else sock as wire:
            serve(peer, wire)
        sock.close()

    def accept() -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                sock, _ = listener.accept()
                sock.settimeout(20)
                peer.connections += 1
                threads.append(threading.Thread(target=handle, args=(sock,), daemon=True))
                threads[-1].start()

    threads.append(threading.Thread(target=accept, daemon=True))
    threads[0].start()
    try:
        yield peer
    finally:
        peer.stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        threads[0].join(10)
