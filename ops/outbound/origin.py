"""Exchanges with one origin (RFC 6454) over one kept connection, each traced and within its limits."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.trace import INVALID_SPAN, Span

from ops.outbound.answer_reader import ReceivedAnswer
from ops.outbound.connecting import tls_context
from ops.outbound.keepalive_connection import RECEIVED_AT_ONCE, KeepaliveConnection
from ops.outbound.limits import Limits
from ops.telemetry.client_span import client_span, set_answer

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "argos"}
HEAD_BYTES = 65_536  # for an answer's status line, headers and framing, on top of its body
PORTS = {"http": 80, "https": 443}


class Origin:
    """Send requests to a scheme, host and port. One thread uses it at a time.

    `authorities` and `certificate` are for TLS: the file of those that may vouch for the peer, and our own.
    """

    def __init__(
        self,
        url: str,
        *,
        authorities: str | None = None,
        certificate: Any = None,
        max_bytes: int = 65_536,
        traced: bool = True,
    ) -> None:
        parts = urlsplit(url)
        context = tls_context(authorities, certificate) if parts.scheme == "https" else None
        self._base, self._netloc = f"{parts.scheme}://{parts.netloc}", parts.netloc
        self._host, self._port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        self._connection = KeepaliveConnection(self._host, self._port, context)
        self._max_bytes = max_bytes
        self._traced = traced
        self.is_connecting = False  # the last exchange ended before it had a connection

    def exchange(
        self,
        method: str,
        target: str,
        headers: MutableMapping[str, Any],
        body: bytes = b"",
        *,
        connect_timeout: float,
        seconds: float,
    ) -> ReceivedAnswer:
        """Return the answer, read whole; raise HTTPException, OSError, ValueError or AnswerTooLong.

        `seconds` bound the whole exchange: resolving, connecting, sending and reading the answer to its end. The trace
        is added to the headers.
        """
        # The last bytes received may begin the part that is too long: the body's own limit must tell it first.
        max_bytes = self._max_bytes + HEAD_BYTES + RECEIVED_AT_ONCE
        limits = Limits(connect_timeout=connect_timeout, seconds=seconds, max_bytes=max_bytes)
        connection = self._connection
        self.is_connecting = True
        with self._span(method, target, headers) as span:
            connection.open(limits)
            self.is_connecting = False
            request = encoded_head(method, target, self._netloc, headers) + body
            answer = connection.exchange(request, method=method, max_bytes=self._max_bytes, limits=limits)
            set_answer(span, answer.status, answer.version, connection.peer)
        return answer

    def _span(self, method: str, target: str, headers: MutableMapping[str, Any]) -> AbstractContextManager[Span]:
        if not self._traced:
            return nullcontext(INVALID_SPAN)
        return client_span(method, self._base + target, self._host, self._port, headers)

    def close(self) -> None:
        self._connection.close()


def encoded_head(method: str, target: str, netloc: str, headers: Mapping[str, Any]) -> bytes:
    """Return the head of a request as it is sent; raise ValueError for one that no header or target can carry."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {netloc}"]
    for name, value in headers.items():
        lines.append(f"{name}: {value.decode('latin-1') if isinstance(value, bytes) else value}")
    head = "\r\n".join(lines)
    if head.count("\r") != len(lines) - 1 or head.count("\n") != len(lines) - 1:
        raise ValueError("a header holds a line break")
    return head.encode("latin-1") + b"\r\n\r\n"
