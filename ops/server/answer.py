"""Call the application with one request (PEP 3333), and put its answer into HTTP/1.1."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from functools import lru_cache
from typing import Any, NamedTuple

from ops.server.http1 import Environ, Request

Headers = list[tuple[str, str]]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

BODILESS = frozenset({204, 304})


class Answer(NamedTuple):
    """The bytes to send at once, those to pull as the client takes them, and whether the connection lives on."""

    data: bytes
    stream: Iterator[bytes] | None
    keep_alive: bool
    close: Callable[[], None] | None = None


class _Start:
    """The callable `start_response`."""

    __slots__ = ("early", "headers", "status")

    def __init__(self) -> None:
        self.status = ""
        self.headers: Headers = []
        self.early: list[bytes] = []

    def __call__(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        self.status, self.headers = status, headers
        return self.early.append


def respond(application: Application, request: Request) -> Answer:
    """Return the application's answer; raise whatever it raises, and ValueError for one that HTTP does not allow."""
    start = _Start()
    result = application(request.environ, start)
    close = getattr(result, "close", None)
    try:
        if isinstance(result, list | tuple) or getattr(result, "streaming", True) is False:
            body = b"".join([*start.early, *result])
            return _whole(request, start, body, close)
        blocks = iter(result)
        first = next(blocks, b"")  # an application may call start_response no sooner
        return _streamed(request, start, [*start.early, first], blocks, close)
    except BaseException:
        if close is not None:
            close()
        raise


def _whole(request: Request, start: _Start, body: bytes, close: Callable[[], None] | None) -> Answer:
    has_body, lines = _begin(request, start)
    for name, value in start.headers:
        if not (has_body and name.lower() == "content-length"):
            lines.append(f"{name}: {value}\r\n")
    if has_body or (body and not _says(start.headers, "content-length")):
        lines.append(f"Content-Length: {len(body)}\r\n")
    return Answer(_end(lines, request.keep_alive) + (body if has_body else b""), None, request.keep_alive, close)


def _streamed(
    request: Request, start: _Start, first: list[bytes], blocks: Iterator[bytes], close: Callable[[], None] | None
) -> Answer:
    has_body, lines = _begin(request, start)
    lines += [f"{name}: {value}\r\n" for name, value in start.headers]
    length = _says(start.headers, "content-length")
    is_chunked = has_body and length is None and not request.is_1_0
    keep_alive = request.keep_alive and (is_chunked or length is not None or not has_body)
    if is_chunked:
        lines.append("Transfer-Encoding: chunked\r\n")
    head = _end(lines, keep_alive)
    if not has_body:
        return Answer(head, None, keep_alive, close)
    return Answer(head, _frames(first, blocks, close, is_chunked=is_chunked, length=length), keep_alive)


def _frames(
    first: list[bytes],
    blocks: Iterator[bytes],
    close: Callable[[], None] | None,
    *,
    is_chunked: bool,
    length: str | None,
) -> Iterator[bytes]:
    """Yield the body as it stands on the wire; raise ValueError for one that is not as long as it says."""
    left = None if length is None else int(length)
    try:
        for source in (first, blocks):
            for block in source:
                if left is not None and (left := left - len(block)) < 0:
                    break
                if block:
                    yield b"%x\r\n%b\r\n" % (len(block), block) if is_chunked else block
        if is_chunked:
            yield b"0\r\n\r\n"
        if left:
            raise ValueError("the answer's body is not as long as its Content-Length")
    finally:
        if close is not None:
            close()


def _begin(request: Request, start: _Start) -> tuple[bool, list[str]]:
    if not start.status:
        raise ValueError("the application did not call start_response")
    has_body = request.environ["REQUEST_METHOD"] != "HEAD" and int(start.status[:3]) not in BODILESS
    return has_body, [f"HTTP/1.1 {start.status}\r\n", date_line(int(time.time()))]


def _end(lines: list[str], keep_alive: bool) -> bytes:
    lines.append("Connection: keep-alive\r\n\r\n" if keep_alive else "Connection: close\r\n\r\n")
    head = "".join(lines)
    if head.count("\n") != len(lines) + 1 or head.count("\r") != len(lines) + 1 or "\0" in head:
        raise ValueError("a header of the answer holds a line break")  # and would begin an answer of its own
    return head.encode("latin-1")


def _says(headers: Headers, name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


@lru_cache(1)
def date_line(second: int) -> str:
    """Return the header Date, made once a second."""
    return f"Date: {formatdate(second, usegmt=True)}\r\n"
