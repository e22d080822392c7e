"""Send mutated requests on raw sockets: `python -m tests.fuzz PORT COUNT [SEED]`.

Each connection sends a few requests with some damage and closes its side. The server must answer with whole answers and
then close, with no 5xx other than 501. It must not give more answers than gunicorn's own reader finds requests, but for
one refusal at the end. A body holds a request: one answer too many means that it was smuggled.
"""

from __future__ import annotations

import io
import random
import socket
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPResponse, IncompleteRead

from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.parser import RequestParser

from ops.server import http1

HOST = b"Host: localhost\r\n"
INNER = b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Inner: 1\r\n\r\n"
SEEDS = (
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"Accept: */*\r\n\r\n",
    b"GET /nowhere?a=b HTTP/1.1\r\n" + HOST + b"User-Agent: fuzz\r\nX-Request-ID: abc\r\n\r\n",
    b"HEAD /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET http://localhost/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n",  # gunicorn reads the first Connection alone: none says keep-alive here
    b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER,
    b"POST /healthz HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(INNER)
    + INNER
    + b"\r\n0\r\n\r\n",
    b"POST /nowhere HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
)
PIECES = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b"\x00",
        b"\xff",
        b":",
        b";",
        b",",
        b"0",
        b"1",
        b"-",
        b"+",
        b"_",
        b"/",
        b"\x7f",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: x\r\n",
    ),
    *(
        b"Host: b\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"chunked",
        b"identity",
        b"HTTP/1.1",
        INNER,
    ),
    *(b"0\r\n\r\n", b"5\r\nabcde\r\n", b"X" * 9_000, b"A: b\r\n" * 120),
)
HANG = 30.0  # seconds
ANSWERED_BY_THE_SERVER = {400, 408, 413, 414, 417, 431, 501}


def mutated(chance: random.Random) -> bytes:
    """Return a few requests with some damage."""
    raw = b"".join(chance.choice(SEEDS) for _ in range(chance.randint(1, 3)))
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(raw) + 1)
        to = min(len(raw), at + chance.choice((0, 0, 1, 2, 8, 40)))
        piece = chance.choice((b"", chance.choice(PIECES), bytes([chance.randrange(256)]), raw[at : at + 30]))
        raw = raw[:at] + piece + raw[to:]
    return raw or b"\r\n"


def expected(raw: bytes) -> list[str]:
    """Return the methods of the requests that gunicorn's own reader finds."""
    cfg = Config()
    cfg.set("limit_request_line", http1.LONGEST_LINE)
    methods = []
    try:
        for request in RequestParser(cfg, io.BytesIO(raw), ("192.0.2.1", 1)):
            request.body.read()
            methods.append(request.method)
    except (errors.ParseException, OSError, ValueError, StopIteration):
        pass
    return methods


class _Wire:
    """Let HTTPResponse read one answer after another from the same stream."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self.stream = stream

    def makefile(self, _mode: str) -> io.BufferedReader:
        return self.stream


class _Unclosed(io.BufferedReader):
    def close(self) -> None:
        """Stay open for the next answer."""


def answers(port: int, raw: bytes, methods: list[str], pieces: int) -> list[int]:
    """Return the statuses of all answers; raise HTTPException for a broken answer, TimeoutError for a hang."""
    statuses: list[int] = []
    with socket.create_connection(("127.0.0.1", port), timeout=HANG) as connection:
        size = max(1, len(raw) // pieces)
        try:
            for at in range(0, len(raw), size):
                connection.sendall(raw[at : at + size])
            connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass  # it was refused before its end
        stream = _Unclosed(socket.SocketIO(connection, "r"))
        while stream.peek(1):
            method = methods[len(statuses)] if len(statuses) < len(methods) else "GET"
            response = HTTPResponse(_Wire(stream), method=method)  # type: ignore[arg-type] # as much of a socket as it uses
            response.begin()
            statuses.append(response.status)
            try:
                response.read()
            except IncompleteRead as cut:
                if cut.partial or len(statuses) <= len(methods):  # not the refusal of a HEAD, which has no body
                    raise
    return statuses


def complaint(port: int, seed: int) -> tuple[str | None, list[int]]:
    """Send what the seed says; return what is wrong with the answers, or None, and their statuses."""
    chance = random.Random(seed)
    raw = mutated(chance)
    methods = expected(raw)
    try:
        statuses = answers(port, raw, methods, chance.choice((1, 1, 2, 7)))
    except TimeoutError:
        return f"hangs: {raw!r}", []
    except (HTTPException, OSError) as error:
        return f"{error!r}: {raw!r}", []
    if any(status >= 500 and status != 501 for status in statuses):
        return f"{statuses}: {raw!r}", statuses
    if len(statuses) > len(methods) and (
        len(statuses) > len(methods) + 1 or statuses[-1] not in ANSWERED_BY_THE_SERVER
    ):
        return f"smuggled, {statuses} for {methods}: {raw!r}", statuses
    return None, statuses


def fuzz(port: int, count: int, seed: int) -> tuple[list[str], Counter[int]]:
    """Send so many; return all complaints, and how often each status came."""
    found: list[str] = []
    seen: Counter[int] = Counter()
    with ThreadPoolExecutor(8) as pool:
        for wrong, statuses in pool.map(lambda number: complaint(port, seed + number), range(count)):
            seen.update(statuses)
            found += [wrong] if wrong else []
    return found, seen


if __name__ == "__main__":
    complaints, counts = fuzz(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    print(*complaints[:20], sep="\n")
    print(f"{len(complaints)} complaints; answers by status: {dict(sorted(counts.items()))}")
    sys.exit(1 if complaints else 0)
