"""Every request that two readers might understand differently is refused; every sound one is read the same."""

from __future__ import annotations

import io
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.parser import RequestParser
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.server import http1
from ops.tests.scripted_worker import LIMIT, exchange

HOST = b"Host: localhost\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"


def head(line: bytes = b"GET /a HTTP/1.1", *headers: bytes, host: bytes = HOST) -> bytes:
    return line + b"\r\n" + host + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


REFUSED = {
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "bare LF in a header": (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    "bare LF at the end": (b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    "bare CR in a header": (head(b"GET / HTTP/1.1", b"X: a\rb"), 400),
    "folded header": (head(b"GET / HTTP/1.1", b"X: a\r\n b"), 400),
    "folded first header": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "space before the colon": (head(b"GET / HTTP/1.1", b"X : a"), 400),
    "no name": (head(b"GET / HTTP/1.1", b": a"), 400),
    "delimiter in a name": (head(b"GET / HTTP/1.1", b"X(: a"), 400),
    "DEL in a value": (head(b"GET / HTTP/1.1", b"X: \x7f"), 400),
    "two spaces": (head(b"GET  / HTTP/1.1"), 400),
    "tab": (head(b"GET\t/ HTTP/1.1"), 400),
    "space at the end": (head(b"GET / HTTP/1.1 "), 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/2.0": (head(b"GET / HTTP/2.0"), 400),
    "RTSP": (head(b"DESCRIBE / RTSP/1.0"), 400),
    "no target": (head(b"GET HTTP/1.1"), 400),
    "relative target": (head(b"GET a HTTP/1.1"), 400),
    "asterisk of a GET": (head(b"GET * HTTP/1.1"), 400),
    "fragment": (head(b"GET /a#b HTTP/1.1"), 400),
    "other scheme": (head(b"GET ftp://a/ HTTP/1.1"), 400),
    "user in the target": (head(b"GET http://u@a/ HTTP/1.1"), 400),
    "bracket in the target's host": (head(b"GET http://lo[cal/ HTTP/1.1"), 400),
    "no Host": (head(host=b""), 400),
    "no Host, absolute target": (head(b"GET http://a/ HTTP/1.1", host=b""), 400),
    "two Hosts": (head(b"GET / HTTP/1.1", b"Host: localhost"), 400),
    "two Content-Types": (head(b"POST / HTTP/1.1", b"Content-Type: a/b", b"content-type: a/b"), 400),
    "two Idempotency-Keys": (head(b"POST / HTTP/1.1", b"Idempotency-Key: a", b"Idempotency-Key: b"), 400),
    "length as a list": (head(b"POST / HTTP/1.1", b"Content-Length: 1,1") + b"a", 400),
    "length with an underscore": (head(b"POST / HTTP/1.1", b"Content-Length: 1_0") + b"a", 400),
    "length in hexadecimal": (head(b"POST / HTTP/1.1", b"Content-Length: 0x1") + b"a", 400),
    "length in other digits": (head(b"POST / HTTP/1.1", b"Content-Length: \xb2") + b"a", 400),
    "length and chunks": (head(b"POST / HTTP/1.1", b"Content-Length: 1", b"Transfer-Encoding: chunked") + b"a", 400),
    "chunks in HTTP/1.0": (head(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "chunked twice": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n", 400),
    "chunked in two headers": (
        head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
        400,
    ),
    "chunked and then another": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n", 400),
    "another and then chunked": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", 501),
    "identity": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: identity"), 501),
    "no coding": (head(b"POST / HTTP/1.1", b"Transfer-Encoding:"), 501),
    "chunked in quotes": (head(b"POST / HTTP/1.1", b'Transfer-Encoding: "chunked"'), 501),
    "vertical tab before chunked": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: \x0bchunked"), 400),
    "chunk with bare LF": (CHUNKED + b"1\na\r\n0\r\n\r\n", 400),
    "chunk with a space": (CHUNKED + b"1 \r\na\r\n0\r\n\r\n", 400),
    "chunk in hexadecimal notation": (CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", 400),
    "chunk with an underscore": (CHUNKED + b"1_0\r\na\r\n0\r\n\r\n", 400),
    "chunk with an endless size": (CHUNKED + b"000000001\r\na\r\n0\r\n\r\n", 400),
    "chunk with a break in an extension": (CHUNKED + b'1;a="\n"\r\na\r\n0\r\n\r\n', 400),
    "chunk that is longer": (CHUNKED + b"1\r\naX\r\n0\r\n\r\n", 400),
    "chunk without its end": (CHUNKED + b"1\r\naXX0\r\n\r\n", 400),
    "trailer without a colon": (CHUNKED + b"0\r\nGET / HTTP/1.1\r\n\r\n", 400),
    "length as a trailer": (CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n", 400),
    "folded trailer": (CHUNKED + b"0\r\nX: a\r\n b\r\n\r\n", 400),
    "more framing than body": (CHUNKED + b"1;" + b"a" * 900 + b"\r\na\r\n0\r\n\r\n", 0),
    "much more framing than body": (CHUNKED + (b"1;" + b"a" * 900 + b"\r\na\r\n") * 30 + b"0\r\n\r\n", 400),
    "too large": (head(b"POST / HTTP/1.1", b"Content-Length: %d" % (LIMIT + 1)), 413),
    "chunks too large": (CHUNKED + b"%x\r\n" % (LIMIT + 1), 413),
    "endless line": (b"GET /" + b"a" * http1.LONGEST_LINE, 414),
    "endless line after an empty one": (b"\r\n" + head(b"GET /" + b"a" * http1.LONGEST_LINE + b" HTTP/1.1"), 414),
    "endless header": (head(b"GET / HTTP/1.1", b"X: " + b"a" * http1.LONGEST_LINE), 431),
    "endless head": (b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 800 + b"\r\n") * 100, 431),
    "too many headers": (head(b"GET / HTTP/1.1", *[b"X: a"] * http1.MOST_HEADERS), 431),
    "unknown expectation": (head(b"POST / HTTP/1.1", b"Expect: 200-ok", b"Content-Length: 1"), 417),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_open_to_doubt_is_refused_and_nothing_after_it_is_read(name: str) -> None:
    raw, status = REFUSED[name]

    worker = exchange(raw + NEXT)

    assert [refusal.status for refusal in worker.refusals] == ([status] if status else [])
    assert len(worker.requests) == (0 if status else 2)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
        (CHUNKED + b'1;a;b=c;d="e f"\r\na\r\n0\r\nX: trailer\r\nY:\r\n\r\n', b"a"),
        (CHUNKED + b"0\r\n\r\n", b""),
        (CHUNKED + b"01\r\n\r\r\n0\r\n\r\n", b"\r"),
        (CHUNKED.replace(b"chunked", b"Chunked") + b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (head(b"POST / HTTP/1.1", b"Content-Length: 3") + b"abc", b"abc"),
        (head(b"POST / HTTP/1.1", b"Content-Length: 003") + b"abc", b"abc"),
        (head(b"DELETE / HTTP/1.1"), b""),
    ],
)
def test_a_body_ends_where_it_says_and_the_next_request_begins_there(raw: bytes, body: bytes) -> None:
    worker = exchange(raw + NEXT)

    assert [request[1:] for request in worker.requests] == [("/", body), ("/next", b"")]


def environ_of(raw: bytes) -> dict[str, Any]:
    return http1.read_head(raw.removesuffix(b"\r\n\r\n"), {}).environ


def test_an_absolute_target_is_judged_by_itself() -> None:
    environ = environ_of(head(b"GET HTTP://shop.example:80?q=1 HTTP/1.1"))

    assert (environ["HTTP_HOST"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("shop.example:80", "/", "q=1")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a%20b/%C3%A9?c=%20", "/a b/\xc3\xa9", "c=%20"),
        (b"//evil.example/a?", "//evil.example/a", ""),
        (b"/a?b?c", "/a", "b?c"),
        (b"/%", "/%", ""),
    ],
)
def test_a_path_is_decoded_and_a_query_is_not(target: bytes, path: str, query: str) -> None:
    environ = environ_of(head(b"GET " + target + b" HTTP/1.1"))

    assert (environ["PATH_INFO"], environ["QUERY_STRING"], environ["RAW_URI"]) == (path, query, target.decode())


def test_headers_are_joined_and_ambiguous_names_dropped() -> None:
    environ = environ_of(
        head(
            b"GET / HTTP/1.1", b"Accept: a", b"aCCEPT:\tb ", b"Cookie: c=d", b"Cookie: e=f", b"X_Real: g", b"X-Real: h"
        )
    )

    assert environ["HTTP_ACCEPT"] == "a,b"
    assert environ["HTTP_COOKIE"] == "c=d; e=f"
    assert environ["HTTP_X_REAL"] == "h"


@pytest.mark.parametrize(
    ("line", "connection", "keep_alive"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: close", False),
        (b"GET / HTTP/1.1", b"Connection: TE, Close", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive", True),
        (b"GET / HTTP/1.7", b"", True),
        (b"CONNECT a:443 HTTP/1.1", b"", False),
    ],
)
def test_a_connection_lives_on_as_the_client_says(line: bytes, connection: bytes, keep_alive: bool) -> None:
    raw = head(line, *filter(None, [connection]))

    request = http1.read_head(raw.removesuffix(b"\r\n\r\n"), {})

    assert request.keep_alive is keep_alive
    assert request.environ["SERVER_PROTOCOL"] == ("HTTP/1.0" if b"1.0" in line else "HTTP/1.1")


PIECES = [
    *[raw for raw, _ in REFUSED.values() if len(raw) < 400],
    NEXT,
    CHUNKED,
    b"1\r\na\r\n",
    b"0\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"\r\n",
    b"\n",
    b" ",
    b"\x00",
    b"abcde",
]


def read_by_gunicorn(raw: bytes) -> tuple[list[tuple[str, str, bytes]], bool]:
    """Return what gunicorn's own reader makes of it, and whether it came to the end without an error."""
    cfg = Config()
    cfg.set("limit_request_line", http1.LONGEST_LINE)
    found = []
    try:
        for request in RequestParser(cfg, io.BytesIO(raw), ("192.0.2.1", 1)):
            found.append((request.method, request.uri, request.body.read()))
            if request.should_close():
                break
    except (errors.ParseException, OSError, ValueError, StopIteration):
        return found, False
    return found, True


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map(b"".join), st.data())
def test_what_is_taken_is_what_gunicorn_reads(raw: bytes, data: st.DataObject) -> None:
    if raw:
        at = data.draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + data.draw(st.binary(max_size=2)) + raw[at + data.draw(st.integers(0, 2)) :]

    taken = exchange(raw).requests

    found, _ = read_by_gunicorn(raw)
    assert taken == found[: len(taken)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=4).map(b"".join), st.integers(1, 50))
def test_how_a_request_is_split_changes_nothing(raw: bytes, size: int) -> None:
    whole = exchange(raw)
    pieces = exchange(raw, size=size)

    assert pieces.requests == whole.requests
    assert [refusal.status for refusal in pieces.refusals] == [refusal.status for refusal in whole.refusals]
