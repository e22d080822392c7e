"""One connection to a peer, kept from one exchange to the next."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ops.outbound.answer_reader import AnswerReader, ReceivedAnswer
from ops.outbound.connecting import Resolver, connect, encrypt
from ops.outbound.limits import Limits
from ops.turns import wait_until_ready

T = TypeVar("T")

RECEIVED_AT_ONCE = 65_536  # bytes


class KeepaliveConnection:
    """Talk to one origin, over TLS where there is a context. One thread uses it at a time."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._resolver, self._host, self._context = Resolver(host, port), host, context
        self._sock: socket.socket | None = None
        self._poll = select.poll()
        self.peer: tuple[str, int] | None = None  # the address and port of the peer

    def open(self, limits: Limits) -> None:
        """Connect, unless the connection of the last exchange can be used again; raise OSError."""
        if self._sock is not None and not self._poll.poll(0):
            return
        self.close()  # a kept connection is readable when the peer has closed it
        sock = connect(self._resolver, limits)
        if self._context is not None:
            sock = encrypt(sock, self._context, self._host, limits)
        sock.setblocking(False)
        self._poll.register(sock, select.POLLIN)
        self._sock, self.peer = sock, None
        with suppress(OSError):  # the peer may have reset it already, as one that misses a certificate does
            self.peer = sock.getpeername()[:2]

    def exchange(self, request: bytes, *, method: str, max_bytes: int, limits: Limits) -> ReceivedAnswer:
        """Send the request and return its answer, whole; raise HTTPException, OSError or AnswerTooLong."""
        sock = self._sock
        assert sock is not None  # noqa: S101 - the caller has called `open`

        left = memoryview(request)

        def send() -> int:
            return sock.send(left)

        def receive() -> bytes:
            received = _when_ready(lambda: sock.recv(RECEIVED_AT_ONCE), select.POLLIN, sock, limits)
            limits.count(len(received))
            return received

        is_reusable = False
        try:
            while left:
                left = left[_when_ready(send, select.POLLOUT, sock, limits) :]
            answer = AnswerReader(receive, method=method, max_bytes=max_bytes).read()
            is_reusable = answer.can_reuse
            return answer
        finally:
            if not is_reusable:
                self.close()

    def close(self) -> None:
        if self._sock is not None:
            self._poll.unregister(self._sock)
            self._sock.close()
            self._sock = None

    def __del__(self) -> None:
        self.close()  # the thread that owned it has ended


def _when_ready(attempt: Callable[[], T], events: int, sock: socket.socket, limits: Limits) -> T:
    """Return what the attempt returns once the socket is ready for it; raise OSError.

    It is tried before each wait, as TLS may have received more than it gave out. TLS may also have to send to receive.
    """
    while True:
        left = limits.seconds_left()
        try:
            return attempt()
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            if isinstance(error, ssl.SSLError):
                events = select.POLLOUT if isinstance(error, ssl.SSLWantWriteError) else select.POLLIN
            wait_until_ready(sock.fileno(), events, left)
