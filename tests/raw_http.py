"""Send HTTP byte by byte, also invalid HTTP, which client libraries refuse."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPResponse
from typing import Any

HOST = b"Host: localhost"
CHUNKED = b"Transfer-Encoding: chunked"


@dataclass(frozen=True)
class RawAnswer:
    """The answer to one request."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(method: bytes, path: bytes, *headers: bytes, body: bytes = b"", host: bytes = HOST) -> bytes:
    """Return the bytes of a request exactly as given, plus Host and Connection."""
    head = (method + b" " + path + b" HTTP/1.1", host, b"Connection: close", *headers)
    return b"\r\n".join(line for line in head if line) + b"\r\n\r\n" + body


def post(body: bytes, *headers: bytes, path: bytes = b"/orders", length: object = None, **kwargs: Any) -> bytes:
    """Return a POST of JSON, announcing `length` instead of the body's own if given."""
    announced = str(len(body) if length is None else length).encode()
    headers = (b"Content-Type: application/json", b"Content-Length: " + announced, *headers)
    return request(b"POST", path, *headers, body=body, **kwargs)


def post_typed(body: bytes, content_type: bytes) -> bytes:
    """Return a POST of another media type."""
    return request(b"POST", b"/orders", content_type, b"Content-Length: %d" % len(body), body=body)


def post_chunked(raw_body: bytes, *headers: bytes) -> bytes:
    """Return a POST with a body in chunked coding."""
    return request(b"POST", b"/orders", b"Content-Type: application/json", CHUNKED, *headers, body=raw_body)


def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Return the parts in chunked coding."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def connect(port: int, *, timeout: float = 30.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def read_answer(connection: socket.socket) -> RawAnswer:
    """Read one whole answer; fail if the connection ends earlier."""
    response = HTTPResponse(connection)
    response.begin()
    return RawAnswer(response.status, response.headers, response.read())


def exchange(port: int, raw: bytes, *, half_close: bool = False) -> RawAnswer:
    """Send the bytes on a new connection, close its sending side if `half_close`, and return the answer."""
    with connect(port) as connection:
        connection.sendall(raw)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return read_answer(connection)
