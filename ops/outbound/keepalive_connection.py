"""One connection to a peer, kept from one exchange to the next."""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress

from ops.outbound.answer_reader import AnswerReader, ReceivedAnswer
from ops.outbound.connecting import connect, encrypt
from ops.outbound.limits import Limits
from ops.turns import waiting

RECEIVED_AT_ONCE = 65_536  # bytes


class KeepaliveConnection:
    """Talk to one origin, over TLS where there is a context. One thread uses it at a time."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._host, self._port, self._context = host, port, context
        self._sock: socket.socket | None = None
        self.peer: tuple[str, int] | None = None  # the address and port of the peer

    def open(self, limits: Limits) -> None:
        """Connect, unless the connection of the last exchange can be used again; raise OSError."""
        if self._sock is not None and not _is_readable(self._sock):
            return
        self.close()  # a kept connection is readable when the peer has closed it
        sock = connect(self._host, self._port, limits)
        if self._context is not None:
            sock = encrypt(sock, self._context, self._host, limits)
        self._sock, self.peer = sock, None
        with suppress(OSError):  # the peer may have reset it already, as one that misses a certificate does
            self.peer = sock.getpeername()[:2]

    def exchange(self, request: bytes, *, method: str, max_bytes: int, limits: Limits) -> ReceivedAnswer:
        """Send the request and return its answer, whole; raise HTTPException, OSError or AnswerTooLong."""
        sock = self._sock
        assert sock is not None  # noqa: S101 - the caller has called `open`

        def receive() -> bytes:
            sock.settimeout(limits.seconds_left())
            with waiting:
                received = sock.recv(RECEIVED_AT_ONCE)
            limits.count(len(received))
            return received

        is_reusable = False
        try:
            sock.settimeout(limits.seconds_left())
            sock.sendall(request)
            answer = AnswerReader(receive, method=method, max_bytes=max_bytes).read()
            is_reusable = answer.can_reuse
            return answer
        finally:
            if not is_reusable:
                self.close()

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def __del__(self) -> None:
        self.close()  # the thread that owned it has ended


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
