"""One connection to a peer, kept from request to request: http.client's own, within the limits of an exchange.

To send the same through requests and urllib3 takes three times as long, a sixth of what an order takes. What they do
beyond it, redirects, cookies, proxies, compression, is not for services.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from ops.outbound.deadline_adapter import DeadlineResponse, connect, seconds_left


class KeptConnection:
    """Talk to one peer at a time. `authorities` is the path of the certificates to trust; None: those of requests."""

    def __init__(self, connect_timeout: float, authorities: str | None = None) -> None:
        self._connect_timeout = connect_timeout
        self._authorities = authorities or DEFAULT_CA_BUNDLE_PATH
        self._peer = ("", "")
        self._connection = http.client.HTTPConnection("")

    def send(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send one request and return its answer, whose body is to be read; raise OSError, HTTPException, ValueError.

        After an error, or an answer that is not read to its end, call `close`.
        """
        parts = urlsplit(url)
        if self._peer != (parts.scheme, parts.netloc):
            self.close()
            self._peer, self._connection = (parts.scheme, parts.netloc), self._new(parts.scheme, parts.netloc)
        elif self._connection.sock is not None:
            if _has_something_to_say(self._connection.sock):  # that it is closed, most likely
                self.close()
            else:
                self._connection.sock.settimeout(seconds_left())
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        self._connection.request(method, target, body, headers)
        return self._connection.getresponse()

    def peer_address(self) -> tuple[str, int] | None:
        """Return the address and port of who answered; None where the peer has closed the connection."""
        with suppress(AttributeError, OSError):  # there is no socket any more, or it was reset behind the answer
            return self._connection.sock.getpeername()[:2]  # type: ignore[no-any-return] # a socket's, untyped
        return None

    def close(self) -> None:
        self._connection.close()

    def __del__(self) -> None:
        self.close()  # with its thread

    def _new(self, scheme: str, authority: str) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if scheme == "https":
            context = ssl.create_default_context(cafile=self._authorities)
            connection = http.client.HTTPSConnection(authority, context=context)
        else:
            connection = http.client.HTTPConnection(authority)
        connection.response_class = DeadlineResponse
        connect_timeout = self._connect_timeout

        def open_socket(address: tuple[str, int], *_: object) -> socket.socket:
            return connect(*address, connect_timeout)

        connection._create_connection = open_socket  # type: ignore[attr-defined] # noqa: SLF001 - the one way to have it
        return connection


def _has_something_to_say(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
