"""The corpus of bad input for POST /orders and other paths: each request and its expected answer."""

from __future__ import annotations

from dataclasses import dataclass

from tests.raw_http import CHUNKED, chunks, post, post_chunked, post_typed, request

CANARY = b"k4n4ry"  # in every request, never in an answer
ORDER = b'{"productId": 1, "quantity": 2}'
LIMIT = 1_048_576


@dataclass(frozen=True)
class Case:
    """One request, the status and code of its answer, and whether the client closes its side after sending."""

    name: str
    raw: bytes
    status: int
    code: str
    half_close: bool = False


def with_value(product_id: bytes) -> bytes:
    return post(b'{"productId": ' + product_id + b', "quantity": 1, "note": "' + CANARY + b'"}')


LENGTHS = [
    Case("body cut short in the middle", post(ORDER[:12], length=31), 400, "parse_error", half_close=True),
    Case("body cut short after complete JSON", post(ORDER, length=40), 400, "parse_error", half_close=True),
    Case("length too short", post(ORDER, length=7), 400, "parse_error"),
    Case("length negative", post(ORDER, length=-1), 400, "bad_request"),
    Case("length with a plus", post(ORDER, length="+31"), 400, "bad_request"),
    Case("length no number", post(ORDER, length="k4n4ry"), 400, "bad_request"),
    Case("two lengths that differ", post(ORDER, b"Content-Length: 7"), 400, "bad_request"),
    Case("two lengths that agree", post(ORDER, b"Content-Length: 31"), 400, "bad_request"),
    Case("length and chunks", post(chunks(ORDER), CHUNKED), 400, "bad_request"),
    Case("10 MB", post(CANARY + b" " * 10_000_000), 413, "request_too_large"),
    Case("10 MB announced, nothing sent", post(b"", length=10_000_000), 413, "request_too_large"),
    Case("one byte over the limit", post(ORDER.ljust(LIMIT + 1)), 413, "request_too_large"),
]

JSON = [
    Case("no body", post(b""), 400, "validation_error"),
    Case("no JSON", post(CANARY), 400, "parse_error"),
    Case("100,000 brackets", post(b"[" * 100_000), 400, "parse_error"),
    Case("100,000 brackets, closed", post(b"[" * 100_000 + b"]" * 100_000), 400, "parse_error"),
    Case("100,000 objects", post(b'{"k4n4ry":' * 100_000), 400, "parse_error"),
    Case("a name twice", post(b'{"productId": 1, "productId": 2, "quantity": 1}'), 400, "parse_error"),
    Case("an escaped name twice", post(b'{"quantity": 1, "quantit\\u0079": 1}'), 400, "parse_error"),
    Case("a raw NUL", with_value(b'"\x00"'), 400, "parse_error"),
    Case("an escaped NUL", with_value(b'"\\u0000"'), 400, "validation_error"),
    Case("a raw surrogate", with_value(b'"\xed\xa0\x80"'), 400, "parse_error"),
    Case("an escaped lone surrogate", with_value(b'"\\ud800"'), 400, "validation_error"),
    Case("a lone surrogate as a name", post(b'{"\\udc00": "k4n4ry"}'), 400, "validation_error"),
    Case("no UTF-8", with_value(b'"\xff"'), 400, "parse_error"),
    Case("a byte order mark", post(b"\xef\xbb\xbf" + ORDER), 400, "parse_error"),
    Case("a 20-digit integer", with_value(b"9" * 20), 400, "validation_error"),
    Case("a 400-digit integer", with_value(b"9" * 400), 400, "validation_error"),
    Case("a 5,000-digit integer", with_value(b"9" * 5_000), 400, "validation_error"),
    Case("a negative 5,000-digit integer", with_value(b"-" + b"9" * 5_000), 400, "validation_error"),
    Case("1e309", with_value(b"1e309"), 400, "validation_error"),
    Case("1e1", with_value(b"1e1"), 400, "validation_error"),
    Case("NaN", with_value(b"NaN"), 400, "parse_error"),
    Case("-Infinity", with_value(b"-Infinity"), 400, "parse_error"),
    Case("true", with_value(b"true"), 400, "validation_error"),
    Case("a list instead of an object", post(b'["k4n4ry"]'), 400, "validation_error"),
    Case("null instead of an object", post(b"null"), 400, "validation_error"),
    Case("a string instead of an object", post(b'"k4n4ry"'), 400, "validation_error"),
    Case("two documents", post(ORDER * 2), 400, "parse_error"),
]

MEDIA_TYPES = [
    Case("text", post_typed(ORDER, b"Content-Type: text/k4n4ry"), 415, "unsupported_media_type"),
    Case("no media type", post_typed(ORDER, b"Content-Type:"), 415, "unsupported_media_type"),
    Case("a garbled media type", post_typed(ORDER, b"Content-Type: \xff/k4n4ry;;"), 415, "unsupported_media_type"),
    Case("a form", post_typed(b"productId=1", b"Content-Type: multipart/form-data"), 415, "unsupported_media_type"),
    Case("UTF-16", post_typed(ORDER, b"Content-Type: application/json; charset=utf-16"), 400, "parse_error"),
    Case("an unknown charset", post_typed(ORDER, b"Content-Type: application/json;charset=k4n4ry"), 400, "parse_error"),
]

CHUNKS = [
    Case("chunks over the limit", post_chunked(chunks(ORDER.ljust(LIMIT + 1))), 413, "request_too_large"),
    Case("10 MB in chunks", post_chunked(chunks(*[b" " * 100_000] * 100)), 413, "request_too_large"),
    Case("a chunk's size no number", post_chunked(b"k4n4ry\r\n" + ORDER + b"\r\n0\r\n\r\n"), 400, "parse_error"),
    Case("a chunk's size negative", post_chunked(b"-5\r\n" + ORDER + b"\r\n0\r\n\r\n"), 400, "parse_error"),
    Case("a chunk longer than its size", post_chunked(b"5\r\n" + ORDER + b"\r\n0\r\n\r\n"), 400, "parse_error"),
    Case("a chunk's endless size", post_chunked(b"0" * 20_000), 400, "parse_error"),
    Case("chunks cut short", post_chunked(b"1f\r\n" + ORDER[:9]), 400, "parse_error", half_close=True),
    Case("chunks without an end", post_chunked(chunks(ORDER, end=b"")), 400, "parse_error", half_close=True),
    Case(
        "an unknown coding",
        request(b"POST", b"/orders", b"Transfer-Encoding: k4n4ry", body=chunks(ORDER)),
        501,
        "unsupported_transfer_coding",
    ),
    Case(
        "chunks in HTTP/1.0",
        post_chunked(chunks(ORDER)).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
        400,
        "bad_request",
    ),
]

HEADS = [
    Case("an unknown method", request(b"K4N4RY", b"/orders"), 405, "method_not_allowed"),
    Case("TRACE", request(b"TRACE", b"/orders", b"X-Secret: k4n4ry"), 405, "method_not_allowed"),
    Case("a method in lower case", request(b"k4n4ry", b"/orders"), 400, "bad_request"),
    Case("CONNECT", request(b"CONNECT", b"k4n4ry:443"), 404, "not_found"),
    Case("OPTIONS *", request(b"OPTIONS", b"*"), 404, "not_found"),
    Case("an unknown Host", request(b"GET", b"/orders", host=b"Host: k4n4ry.example"), 400, "bad_request"),
    Case("an unknown Host for a POST", post(ORDER, host=b"Host: k4n4ry.example"), 400, "bad_request"),
    Case("a malformed Host", request(b"GET", b"/orders", host=b"Host: a b/k4n4ry@d"), 400, "bad_request"),
    Case("no Host", request(b"GET", b"/orders", host=b""), 400, "bad_request"),
    Case("two Hosts", request(b"GET", b"/orders", b"Host: k4n4ry"), 400, "bad_request"),
    Case("a long header", request(b"GET", b"/orders", b"X-A: " + CANARY * 4_000), 431, "headers_too_large"),
    Case("many headers", request(b"GET", b"/orders", *[b"X-A: k4n4ry"] * 1_000), 431, "headers_too_large"),
    Case("a long request line", request(b"GET", b"/orders?" + CANARY * 2_000), 414, "uri_too_long"),
    Case("a header without a colon", request(b"GET", b"/orders", b"k4n4ry"), 400, "bad_request"),
    Case("a NUL in a header", request(b"GET", b"/orders", b"X-A: k4n\x004ry"), 400, "bad_request"),
    Case("an unknown expectation", post(ORDER, b"Expect: k4n4ry"), 417, "expectation_failed"),
    Case("an unknown HTTP version", b"GET /orders HTTP/3.7\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
    Case("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
    Case("TLS", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "bad_request"),
    Case("a raw byte in the path", request(b"GET", b"/orders/\xff"), 400, "bad_request"),
    Case("an escaped NUL in the path", request(b"GET", b"/k4n4ry%00%ff"), 404, "not_found"),
    Case("an Accept that nothing satisfies", request(b"GET", b"/orders", b"Accept: a/k4n4ry"), 406, "not_acceptable"),
    Case("a garbled Accept", request(b"GET", b"/orders", b"Accept: \xff;;q=;/*"), 406, "not_acceptable"),
    Case("a garbled request id", request(b"GET", b"/orders", b"X-Request-ID: \xffk4n4ry"), 401, "not_authenticated"),
    Case(
        "a garbled session", request(b"GET", b"/orders", b'Cookie: sessionid="\\000k4n4ry"'), 401, "not_authenticated"
    ),
    Case("an id past 64 bits", request(b"GET", b"/orders/" + b"9" * 3_500), 401, "not_authenticated"),
]

ORDERS = [*LENGTHS, *JSON, *MEDIA_TYPES, *CHUNKS, *HEADS]

PRODUCTS = [
    Case("an id past 64 bits", request(b"GET", b"/products/" + b"9" * 20), 404, "not_found"),
    Case("a 3,500-digit id", request(b"GET", b"/products/" + b"9" * 3_500), 404, "not_found"),
    Case("a negative id", request(b"GET", b"/products/-1"), 404, "not_found"),
    Case("a NUL in the search", request(b"GET", b"/products?search=k4n4ry%00"), 400, "validation_error"),
    Case("no cursor", request(b"GET", b"/products?cursor=k4n4ry"), 400, "validation_error"),
    Case("a cursor that is no UTF-8", request(b"GET", b"/products?cursor=%ff"), 400, "validation_error"),
    Case("a NUL in the page size", request(b"GET", b"/products?page_size=%00k4n4ry"), 400, "validation_error"),
    Case(
        "a write without a credential",
        request(b"DELETE", b"/products/1", b"X-Secret: k4n4ry"),
        401,
        "not_authenticated",
    ),
    Case(
        "a reservation with a token that no service signed",
        request(b"DELETE", b"/reservations/0198c1de-6c1b-7c3e-9d3e-2f1f3a4b5c6d", b"Authorization: Bearer k4n4ry\xff"),
        401,
        "invalid_token",
    ),
    Case("a form without its token", request(b"POST", b"/admin/login/", b"Content-Length: 0"), 403, "csrf_failed"),
    Case("a static file outside", request(b"GET", b"/static/../../k4n4ry"), 404, "not_found"),
    Case("the document as PDF", request(b"GET", b"/openapi.json", b"Accept: a/k4n4ry"), 406, "not_acceptable"),
    Case("a write to the documentation", request(b"POST", b"/docs", b"X-Secret: k4n4ry"), 405, "method_not_allowed"),
]
