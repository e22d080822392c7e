"""Read one HTTP/1.1 answer from bytes, strictly (RFC 9112).

`http.client` reads the headers as e-mail, which costs more than all else of an exchange, and accepts what the RFC
forbids: folded lines, a bare line feed, two lengths that differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected
from typing import NamedTuple

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_NAME, _VALUE = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", rb"[\t\x20-\x7e\x80-\xff]*"
FIELD = re.compile(b"(%b):(%b)\r\n" % (_NAME, _VALUE))
FIELDS = re.compile(b"(?:%b:%b\r\n)*" % (_NAME, _VALUE))
LENGTH = re.compile(r"[0-9]{1,18}")
CHUNK = re.compile(b"([0-9A-Fa-f]{1,8})[ \t]*(?:;%b)?" % _VALUE)


class AnswerTooLong(Exception):
    """The body of the answer is longer than its limit."""


class ReceivedAnswer(NamedTuple):
    """One answer, read whole; `fields` are its headers by lower-case name."""

    status: int
    reason: str
    version: int
    fields: dict[str, str]
    body: bytes
    can_reuse: bool  # the connection may serve another exchange


class AnswerReader:
    """Read the answer to one request. `receive` returns the next bytes, and none where the peer has hung up."""

    def __init__(self, receive: Callable[[], bytes], *, method: str, max_bytes: int) -> None:
        self._receive = receive
        self._method = method
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def read(self) -> ReceivedAnswer:
        """Return the answer; raise HTTPException, OSError or AnswerTooLong."""
        version, status, reason, fields = self._read_head()
        while status < 200:  # an interim answer announces another one (RFC 9110, section 15.2)
            if status == 101:
                raise HTTPException("switched protocols without being asked to")
            version, status, reason, fields = self._read_head()
        body, has_end = self._read_body(version, status, fields)
        closes = version == 10 or "close" in fields.get("connection", "").lower()
        return ReceivedAnswer(status, reason, version, fields, body, has_end and not closes and not self._buffer)

    def _read_head(self) -> tuple[int, int, str, dict[str, str]]:
        line_end = self._find(b"\r\n")
        found = STATUS_LINE.fullmatch(bytes(self._buffer[:line_end]))
        if found is None:  # before the rest is waited for, which may never come
            raise BadStatusLine(repr(bytes(self._buffer[:100])))
        lines = self._take(self._find(b"\r\n\r\n") + 4)[line_end + 2 : -2]
        if FIELDS.fullmatch(lines) is None:
            raise HTTPException("a header is malformed")
        return 10 + int(found[1]), int(found[2]), (found[3] or b"").decode("latin-1"), _fields(lines)

    def _read_body(self, version: int, status: int, fields: dict[str, str]) -> tuple[bytes, bool]:
        """Return the body, and whether its end was marked otherwise than by the end of the connection."""
        length, coding = fields.get("content-length"), fields.get("transfer-encoding")
        if self._method == "HEAD" or status in (204, 304):
            return b"", True
        if coding is not None:
            if version == 10 or length is not None or coding.lower() != "chunked":
                raise HTTPException("the length of the answer is ambiguous")
            return self._read_chunks(), True
        if length is None:
            return self._read_to_the_end(), False
        if LENGTH.fullmatch(length) is None:
            raise HTTPException("the Content-Length is malformed")
        return self._take(self._allowed(int(length))), True

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while True:
            found = CHUNK.fullmatch(self._take_line())
            if found is None:
                raise HTTPException("the size of a chunk is malformed")
            size = int(found[1], 16)
            if size == 0:
                break
            self._allowed(len(body) + size)
            body += self._take(size)
            if self._take(2) != b"\r\n":
                raise HTTPException("a chunk is longer than its size")
        while line := self._take_line():
            if FIELD.fullmatch(line + b"\r\n") is None:
                raise HTTPException("a trailer is malformed")
        return bytes(body)

    def _read_to_the_end(self) -> bytes:
        while received := self._receive():
            self._buffer += received
            self._allowed(len(self._buffer))
        return self._take(self._allowed(len(self._buffer)))

    def _allowed(self, size: int) -> int:
        if size > self._max_bytes:
            raise AnswerTooLong(f"answered more than {self._max_bytes} bytes")
        return size

    def _find(self, mark: bytes) -> int:
        start = 0
        while (end := self._buffer.find(mark, start)) < 0:
            start = max(0, len(self._buffer) - len(mark) + 1)
            self._fill()
        return end

    def _take_line(self) -> bytes:
        return self._take(self._find(b"\r\n") + 2)[:-2]

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self) -> None:
        received = self._receive()
        if not received:
            raise IncompleteRead(bytes(self._buffer)) if self._buffer else RemoteDisconnected("it has hung up")
        self._buffer += received


def _fields(lines: bytes) -> dict[str, str]:
    """Return the headers by lower-case name; the values of one name are joined by commas (RFC 9110, section 5.3)."""
    fields: dict[str, str] = {}
    for name, value in FIELD.findall(lines):
        key, text = name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")
        if key not in fields:
            fields[key] = text
        elif key != "content-length" or fields[key] != text:  # the same length twice is one length
            fields[key] = f"{fields[key]}, {text}"
    return fields
