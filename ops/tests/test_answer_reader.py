"""Answers of HTTP/1.1 are read whole and strictly, however they arrive."""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.outbound.answer_reader import AnswerReader, AnswerTooLong, ReceivedAnswer

LIMIT = 1000
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK"
ALPHABET = [
    b"HTTP/1.1 200 OK\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"\r\n",
    b"5\r\nhello\r\n",
]
PIECES = [*ALPHABET, b"0\r\n", b"\n", b"\r", b":", b" ", b"hello", b"\0", b"\xff", b"HTTP/1.1 100 Continue\r\n\r\n"]


def source(data: bytes, size: int = 65_536) -> Callable[[], bytes]:
    """Return what hands out the data in pieces of this size, and nothing after it."""
    return partial(io.BytesIO(data).read, size)


def read(data: bytes, *, method: str = "GET", size: int = 65_536) -> ReceivedAnswer:
    return AnswerReader(source(data, size), method=method, max_bytes=LIMIT).read()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 65_536])
@pytest.mark.parametrize(
    "data",
    [
        GOOD,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nO\r\n1\r\nK\r\n0\r\nTrailer: yes\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + GOOD,
        b"HTTP/1.1 200\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n\r\n002\r\nOK\r\n0\r\n\r\n",
    ],
    ids=["length", "chunks", "interim answers", "the same length twice", "another case"],
)
def test_an_answer_is_read_however_it_is_split(data: bytes, size: int) -> None:
    answer = read(data, size=size)

    assert (answer.status, answer.version, answer.body, answer.can_reuse) == (200, 11, b"OK", True)


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK", b"OK"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\nOK", b"OK"),
        (GOOD + b"and more", b"OK"),
    ],
    ids=["until the end", "HTTP/1.0", "close", "more than its length"],
)
def test_the_connection_is_not_used_again(data: bytes, body: bytes) -> None:
    answer = read(data)

    assert (answer.body, answer.can_reuse) == (body, False)


@pytest.mark.parametrize("head", [b"204 No Content", b"304 Not Modified\r\nContent-Length: 5"])
def test_some_answers_have_no_body(head: bytes) -> None:
    assert read(b"HTTP/1.1 " + head + b"\r\n\r\n")[4:] == (b"", True)


def test_the_answer_to_head_has_no_body() -> None:
    assert read(GOOD.removesuffix(b"OK"), method="HEAD")[4:] == (b"", True)


def test_headers_are_found_by_lower_case_name_and_joined() -> None:
    fields = read(b"HTTP/1.1 200 OK\r\nVary: Accept\r\nvary:\tCookie \r\nX: \xe9\r\nContent-Length: 0\r\n\r\n").fields

    assert fields == {"vary": "Accept, Cookie", "x": "é", "content-length": "0"}


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 600 High\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200 O\0K\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno trailer\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        GOOD[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n",
    ],
)
def test_a_malformed_or_truncated_answer_is_refused(data: bytes) -> None:
    with pytest.raises(http.client.HTTPException):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: 1001\r\n\r\n",
        b"Content-Length: 999999999999999999\r\n\r\n",
        b"\r\n" + b"x" * 1001,
        b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n1\r\n",
    ],
    ids=["length", "largest length", "until the end", "one chunk", "two chunks"],
)
def test_a_body_past_the_limit_is_refused_before_it_is_read(data: bytes) -> None:
    with pytest.raises(AnswerTooLong, match="1000"):
        read(b"HTTP/1.1 200 OK\r\n" + data)


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=12).map(b"".join), st.integers(1, 9))
def test_whatever_comes_it_ends_with_an_answer_or_a_refusal(data: bytes, size: int) -> None:
    def outcome(size: int) -> Any:
        try:
            return read(data, size=size)
        except (http.client.HTTPException, AnswerTooLong) as error:
            return type(error) is AnswerTooLong  # a piece decides whether the end comes before or within an answer

    whole, split = outcome(65_536), outcome(size)

    if isinstance(whole, ReceivedAnswer) and isinstance(split, ReceivedAnswer):
        assert whole._replace(can_reuse=True) == split._replace(can_reuse=True)  # leftovers may not have arrived yet
    else:
        assert whole == split


class _Wire(io.BytesIO):
    def makefile(self, mode: str) -> io.BytesIO:
        return self


@given(
    st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    st.dictionaries(
        st.text("ABCxyz-", min_size=1, max_size=8), st.text("abc ,;=é", max_size=20).map(str.strip), max_size=6
    ),
    st.binary(max_size=50),
    st.booleans(),
)
def test_the_standard_library_reads_the_same(status: int, fields: dict[str, str], body: bytes, chunked: bool) -> None:
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    lines = [f"HTTP/1.1 {status} Some reason", framing, *(f"{name}: {value}" for name, value in fields.items())]
    sent = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n" if chunked and body else body
    sent = b"0\r\n\r\n" if chunked and not body else sent
    data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + sent

    other: Any = http.client.HTTPResponse(_Wire(data))  # type: ignore[arg-type] # all that it takes of a socket
    other.begin()
    answer = read(data)

    assert (answer.status, answer.reason, answer.body) == (other.status, other.reason, other.read())
    assert answer.fields == {name.lower(): ", ".join(other.headers.get_all(name)) for name in other.headers}
