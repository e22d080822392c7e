"""Close a connection so that its client can still read the answer (RFC 9112, section 9.6)."""

from __future__ import annotations

import socket
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

LINGER = 2.0  # seconds in which the client may read the answer, finish sending and hang up


class LingeringWorker(ThreadWorker):
    """A gthread worker that waits in its poller for a client to hang up.

    gunicorn waits in the loop that accepts connections, so one client that does not hang up keeps all others waiting;
    and it drops at most 64 KiB, so a client that is still sending a body that was refused gets a reset, not the answer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lingering: deque[Any] = deque()

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Send the end of the stream now; close once the client has hung up, or after LINGER."""
        if fs.cancelled() or fs.exception() is not None or fs.result() is not False:
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:  # the client was faster
            self.nr_conns -= 1
            conn.close()
            return
        conn.timeout = time.monotonic() + LINGER
        self.lingering.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._drop_input, conn))

    def murder_pending(self) -> None:
        """Close what has lingered long enough, too; the loop calls this once a second or more."""
        super().murder_pending()
        while self.lingering and self.lingering[0].timeout <= time.monotonic():
            self._hang_up(self.lingering[0])

    def _drop_input(self, conn: Any, sock: socket.socket) -> None:
        try:
            data = sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up(conn)

    def _hang_up(self, conn: Any) -> None:
        self.lingering.remove(conn)
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
