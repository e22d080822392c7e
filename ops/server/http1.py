"""Read requests of HTTP/1.1 strictly (RFC 9112): their heads, their bodies in chunks.

One grammar, compiled by `re`, takes a head or refuses it; nothing here mends what a client got wrong. The tests compare
it with gunicorn's own reader, docs/decisions/0016 with llhttp and gunicorn_h1c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from ops.server.errors import (
    BadRequest,
    BodyTooLarge,
    ExpectationFailed,
    HeadersTooLarge,
    Refusal,
    TargetTooLong,
    UnreadableBody,
    UnsupportedTransferCoding,
)

Environ = dict[str, Any]

LONGEST_LINE = 8_190  # bytes of the request line, and of one header
MOST_HEADERS = 100
LONGEST_HEAD = 65_536  # bytes
LONGEST_CHUNK_LINE = 1_024  # bytes of a chunk's size with its extensions
SPARE_FRAMING = 16_384  # bytes of chunk framing that a body may have beyond its own size

END_OF_HEAD = b"\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb"([!$%&'*+.^_`|~0-9A-Z-]{3,20}) ([\x21-\x7e]+) HTTP/1\.([0-9])")
HEADERS = re.compile(rb"(?:" + TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*")
AUTHORITY = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
ABSOLUTE = re.compile(rf"https?://({AUTHORITY})((?:/[^?]*)?)((?:\?.*)?)", re.IGNORECASE)
CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[ \t]*" + TOKEN + rb"(?:=(?:" + TOKEN + rb'|"[\t\x20\x21\x23-\x5b\x5d-\x7e]*"))?)*'
)
BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
SINGLE = frozenset(  # fields that have one value; a second one leaves open which of them counts
    {"HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_AUTHORIZATION", "HTTP_EXPECT", "HTTP_IDEMPOTENCY_KEY"}
)
NO_TRAILERS = frozenset({b"host", b"content-length", b"transfer-encoding", b"trailer", b"authorization", b"te"})


@dataclass(slots=True)
class Request:
    """One request: its environ (PEP 3333), what is known of its body, and whether its connection may live on."""

    environ: Environ
    length: int | None  # None where the body comes in chunks
    keep_alive: bool
    expects_continue: bool
    is_1_0: bool

    def complete(self, body: bytes | bytearray) -> None:
        """Give the application the whole body."""
        self.environ["wsgi.input"] = BytesIO(body)
        if body:
            self.environ["CONTENT_LENGTH"] = str(len(body))


@lru_cache(1024)
def _key(name: str) -> str | None:
    """Return the header's name in an environ; None for one with an underscore, which would pass for another's."""
    if "_" in name:
        return None
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def find_head(buffer: bytearray, searched: int) -> int:
    """Return where the head ends, or -1 while more is to come; raise a Refusal for one that cannot become sound."""
    end = buffer.find(END_OF_HEAD, max(0, searched - 3))
    size = len(buffer) if end < 0 else end
    if size > LONGEST_LINE and buffer.find(b"\r\n", 0, LONGEST_LINE + 2) < 0:
        raise TargetTooLong
    if size > LONGEST_HEAD:
        raise HeadersTooLarge
    if end < 0 and BARE_LINE_FEED.search(buffer, max(0, searched - 1)):
        raise BadRequest("BareLineFeed")
    return end


def read_head(head: bytes, base: Environ) -> Request:
    """Return the request of a head without its empty line, on top of the connection's environ; raise a Refusal."""
    line, _, block = head.removeprefix(b"\r\n").partition(b"\r\n")  # one empty line before it (RFC 9112, 2.2)
    if len(line) > LONGEST_LINE:
        raise TargetTooLong
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        raise BadRequest("InvalidRequestLine")
    method, target, minor = match.groups()
    environ = base.copy()
    environ["REQUEST_METHOD"] = method.decode()
    environ["SERVER_PROTOCOL"] = "HTTP/1.0" if minor == b"0" else "HTTP/1.1"
    environ["RAW_URI"] = target.decode()
    try:
        _take_headers(environ, block + b"\r\n" if block else b"")
        return _judge(environ, is_1_0=minor == b"0")
    except Refusal as refusal:
        refusal.environ = environ
        raise


def _take_headers(environ: Environ, block: bytes) -> None:
    if HEADERS.fullmatch(block) is None:
        raise BadRequest("InvalidHeader")
    lines = block.decode("latin-1").split("\r\n")
    lines.pop()
    if len(lines) > MOST_HEADERS:
        raise HeadersTooLarge
    for line in lines:
        if len(line) > LONGEST_LINE:
            raise HeadersTooLarge
        name, _, value = line.partition(":")
        if (key := _key(name)) is None:
            continue
        value = value.strip(" \t")
        if key in environ:
            if key in SINGLE:
                raise BadRequest("RepeatedHeader")
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value


def _judge(environ: Environ, *, is_1_0: bool) -> Request:
    """Settle the target and the framing; everything that two readers may understand differently is refused."""
    if not is_1_0 and "HTTP_HOST" not in environ:
        raise BadRequest("MissingHost")
    environ["PATH_INFO"], environ["QUERY_STRING"] = _split(environ)
    options = environ.get("HTTP_CONNECTION", "").lower().replace(" ", "").split(",")
    keep_alive = "keep-alive" in options if is_1_0 else "close" not in options
    request = Request(environ, _length(environ, is_1_0=is_1_0), keep_alive, expects_continue=False, is_1_0=is_1_0)
    if environ["REQUEST_METHOD"] == "CONNECT":  # the next bytes would be a tunnel's (RFC 9931, section 8)
        request.keep_alive = False
    if expectation := environ.get("HTTP_EXPECT"):
        if expectation.lower() != "100-continue":
            raise ExpectationFailed
        request.expects_continue = not is_1_0
    return request


def _split(environ: Environ) -> tuple[str, str]:
    """Return path and query of the target (RFC 9112, section 3.2); an absolute one is judged by its own host."""
    uri, method = environ["RAW_URI"], environ["REQUEST_METHOD"]
    if "#" in uri:
        raise BadRequest("InvalidTarget")
    if uri[0] != "/":
        if absolute := ABSOLUTE.fullmatch(uri):
            environ["HTTP_HOST"] = absolute[1]
            uri = (absolute[2] or "/") + absolute[3]
        elif (uri == "*" and method == "OPTIONS") or method == "CONNECT":
            return uri, ""
        else:
            raise BadRequest("InvalidTarget")
    path, _, query = uri.partition("?")
    return unquote_to_bytes(path).decode("latin-1") if "%" in path else path, query


def _length(environ: Environ, *, is_1_0: bool) -> int | None:
    """Return the body's length, None for chunks (RFC 9112, section 6.3); raise a Refusal for what is open to doubt."""
    coding, length = environ.pop("HTTP_TRANSFER_ENCODING", None), environ.get("CONTENT_LENGTH")
    if coding is None:
        if length is None:
            return 0
        if not (length.isascii() and length.isdigit() and len(length) <= 18):
            raise BadRequest("InvalidContentLength")
        return int(length)
    if length is not None or is_1_0:
        raise BadRequest("AmbiguousLength")
    codings = [word.strip(" \t") for word in coding.lower().split(",")]
    if "chunked" in codings[:-1]:
        raise BadRequest("InvalidTransferCoding")
    if codings != ["chunked"]:
        raise UnsupportedTransferCoding
    return None


class Chunks:
    """Decode a chunked body; extensions and trailers are read and dropped."""

    def __init__(self, limit: int) -> None:
        self.body = bytearray()
        self._limit = limit
        self._left = 0  # bytes of the chunk that is being read, with its CRLF
        self._framing = 0
        self._is_in_trailers = False

    def feed(self, buffer: bytearray) -> bool:
        """Take what can be taken from the buffer; return whether the body has ended; raise a Refusal."""
        position, is_complete = 0, False
        try:
            while not is_complete:
                if self._left:
                    taken = self._take_data(buffer, position)
                    if not taken:
                        break
                    position += taken
                    continue
                end = buffer.find(b"\r\n", position, position + LONGEST_CHUNK_LINE)
                if end < 0:
                    self._refuse_endless_line(buffer, position)
                    break
                is_complete = self._take_line(bytes(buffer[position:end]))
                position = end + 2
        finally:
            del buffer[:position]
        return is_complete

    def _take_data(self, buffer: bytearray, position: int) -> int:
        """Take some of a chunk's data, or its end; return how many bytes that was."""
        if self._left > 2:
            data = buffer[position : position + self._left - 2]
            self.body += data
            self._left -= len(data)
            return len(data)
        end = buffer[position : position + 2]
        if end != b"\r\n"[: len(end)]:
            raise UnreadableBody("InvalidChunk")
        if len(end) < 2:
            return 0
        self._left = 0
        return 2

    def _take_line(self, line: bytes) -> bool:
        self._framing += len(line) + 4
        if self._framing > SPARE_FRAMING + len(self.body):
            raise UnreadableBody("TooManyChunks")
        if self._is_in_trailers:
            name = line.partition(b":")[0].lower()
            if line and (HEADERS.fullmatch(line + b"\r\n") is None or name in NO_TRAILERS):
                raise UnreadableBody("InvalidTrailer")
            return not line
        match = CHUNK_LINE.fullmatch(line)
        if match is None:
            raise UnreadableBody("InvalidChunk")
        size = int(match[1], 16)
        if len(self.body) + size > self._limit:
            raise BodyTooLarge
        self._left = size + 2 if size else 0
        self._is_in_trailers = size == 0
        return False

    def _refuse_endless_line(self, buffer: bytearray, position: int) -> None:
        if len(buffer) - position >= LONGEST_CHUNK_LINE or BARE_LINE_FEED.search(buffer, position):
            raise UnreadableBody("InvalidChunk")
