"""An adapter for `requests` under which a whole exchange ends by a deadline and within a number of bytes."""

from __future__ import annotations

import http.client
import io
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.trace import INVALID_SPAN, Span
from requests import ConnectionError as ConnectionFailed
from requests import ConnectTimeout, PreparedRequest, ReadTimeout, RequestException, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from ops.outbound.answer_reader import AnswerTooLong, ReceivedAnswer
from ops.outbound.connecting import tls_context
from ops.outbound.keepalive_connection import RECEIVED_AT_ONCE, KeepaliveConnection
from ops.outbound.limits import Limits
from ops.telemetry.client_span import client_span, set_answer

HEAD_BYTES = 65_536  # for an answer's status line, headers and framing, on top of its body
PORTS = {"http": 80, "https": 443}


class BodyTooLong(RequestException):
    """The body of the answer is longer than the adapter's limit."""


class DeadlineAdapter(BaseAdapter):
    """Keep one connection to each origin, and bound each exchange. One thread uses an adapter at a time.

    `timeout` is what `requests` calls it, either seconds or a pair, but the second number bounds the whole exchange:
    resolving, connecting, sending and reading the answer to its end. Each exchange is a client span if it is `traced`.
    """

    def __init__(self, *, max_bytes: int, traced: bool = True) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self._traced = traced
        self._connections: dict[tuple[Any, ...], KeepaliveConnection] = {}

    def send(  # noqa: PLR0917 - as BaseAdapter declares it
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Return the answer, read whole; raise RequestException, which names the cause. It uses no proxy."""
        connect_timeout, seconds = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        # The last bytes received may begin the part that is too long: the body's own limit must tell it first.
        max_bytes = self._max_bytes + HEAD_BYTES + RECEIVED_AT_ONCE
        limits = Limits(connect_timeout=connect_timeout, seconds=seconds, max_bytes=max_bytes)
        method, url = str(request.method), str(request.url)
        late: type[RequestException] = ConnectTimeout
        try:
            connection = self._connection(url, verify, cert)
            with self._span(request) as span:
                connection.open(limits)
                late = ReadTimeout
                answer = connection.exchange(_encoded(request), method=method, max_bytes=self._max_bytes, limits=limits)
                set_answer(span, answer.status, answer.version, connection.peer)
        except TimeoutError as error:
            raise late(type(error).__name__, request=request) from error
        except AnswerTooLong as error:
            raise BodyTooLong(error, request=request) from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise ConnectionFailed(type(error).__name__, request=request) from error
        return _response(request, answer)

    def _span(self, request: PreparedRequest) -> AbstractContextManager[Span]:
        if not self._traced:
            return nullcontext(INVALID_SPAN)
        return client_span(str(request.method), str(request.url), request.headers)

    def _connection(self, url: str, verify: Any, cert: Any) -> KeepaliveConnection:
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc, verify, cert)
        connection = self._connections.get(key)
        if connection is None:
            authorities = verify if isinstance(verify, str) else None
            context = tls_context(authorities, cert) if parts.scheme == "https" else None
            port = parts.port or PORTS[parts.scheme]
            connection = self._connections[key] = KeepaliveConnection(parts.hostname or "", port, context)
        return connection

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


def _encoded(request: PreparedRequest) -> bytes:
    """Return the request as it is sent; raise ValueError for one that no header or target can carry."""
    lines = [f"{request.method} {request.path_url} HTTP/1.1", f"Host: {urlsplit(str(request.url)).netloc}"]
    headers: Mapping[str, Any] = request.headers
    for name, value in headers.items():
        lines.append(f"{name}: {value.decode('latin-1') if isinstance(value, bytes) else value}")
    head = "\r\n".join(lines)
    if head.count("\r") != len(lines) - 1 or head.count("\n") != len(lines) - 1:
        raise ValueError("a header holds a line break")
    body: Any = request.body or b""
    return head.encode("latin-1") + b"\r\n\r\n" + (body.encode() if isinstance(body, str) else body)


def _response(request: PreparedRequest, answer: ReceivedAnswer) -> Response:
    response = Response()
    response.status_code = answer.status
    response.reason = answer.reason
    response.headers = CaseInsensitiveDict(answer.fields)
    response.raw = io.BytesIO(answer.body)
    response.url = str(request.url)
    response.request = request
    return response
