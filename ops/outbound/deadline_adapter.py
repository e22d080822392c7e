"""An adapter for `requests` under which a whole exchange ends by a deadline and within a number of bytes.

`requests` bounds each wait on a socket, not their sum: a peer that sends one byte a second is never too slow for it, a
name with ten addresses may take ten connect timeouts, and the resolver as long as it likes.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from concurrent.futures import Future
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ops.turns import waiting


class _Limits(threading.local):
    deadline: float = 0.0
    bytes_left: int = 0


_limits = _Limits()


def limit_exchange(deadline: float, max_bytes: int) -> None:
    """Bound what this thread does from now on, until told anew: the time on the monotonic clock, the bytes received."""
    _limits.deadline = deadline
    _limits.bytes_left = max_bytes


def seconds_left() -> float:
    """Return how long this thread's exchange may still take; raise TimeoutError."""
    left = _limits.deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the exchange took longer than its deadline")
    return left


def _resolve(host: str, port: int) -> list[tuple[Any, ...]]:
    """Return the name's addresses; in a thread, left behind when it is late, as getaddrinfo has no timeout."""
    found: Future[list[tuple[Any, ...]]] = Future()

    def look_up() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    threading.Thread(target=look_up, name=f"resolve-{host}", daemon=True).start()
    with waiting:
        return found.result(seconds_left())


def connect(host: str, port: int, connect_timeout: float) -> socket.socket:
    """Return a connected socket; try each address of the host for up to `connect_timeout` seconds; raise OSError."""
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in _resolve(host, port):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:  # no IPv6 on this machine
            failure = error
            continue
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(min(connect_timeout, seconds_left()))
            with waiting:
                sock.connect(address)
            sock.settimeout(seconds_left())  # for the TLS handshake and the request
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


class _DeadlineReader(io.RawIOBase):
    """Read from a socket within this thread's limits."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(seconds_left())
        with waiting:
            received = self._raw.readinto(buffer)
        _limits.bytes_left -= received or 0
        if _limits.bytes_left < 0:
            raise OSError("the answer is longer than its limit")
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class DeadlineResponse(http.client.HTTPResponse):
    """Read an answer within this thread's limits."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


def _open_socket(connection: HTTPConnection) -> socket.socket:
    host = connection._dns_host.strip("[]")  # noqa: SLF001 - what its own _new_conn connects to
    return connect(host, connection.port, connection.timeout)  # type: ignore[arg-type] # requests resolves it to a float


class _Connection(HTTPConnection):
    response_class = DeadlineResponse
    _new_conn = _open_socket


class _TLSConnection(HTTPSConnection):
    response_class = DeadlineResponse
    _new_conn = _open_socket


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class DeadlineAdapter(HTTPAdapter):
    """Keep the limits that `limit_exchange` set; raise OSError for those that an exchange breaks."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
