"""Why a request is answered in the application's place.

Refusal
├── BadRequest                  400 bad_request
├── UnreadableBody              400 parse_error
├── ReceiveTimeout              408 request_timeout
├── BodyTooLarge                413 request_too_large
├── TargetTooLong               414 uri_too_long
├── ExpectationFailed           417 expectation_failed
├── HeadersTooLarge             431 headers_too_large
├── ApplicationFailed           500 internal_error
├── UnsupportedTransferCoding   501 unsupported_transfer_coding
└── QueueTimeout                503 busy
"""

from __future__ import annotations

from typing import Any, ClassVar


class Refusal(Exception):
    """State what a request did wrong, in one word or two for the log; `environ` has what was read of its head."""

    status: ClassVar[int]
    code: ClassVar[str]
    detail: ClassVar[str] = "The request could not be read as HTTP."

    environ: dict[str, Any] | None = None

    def __init_subclass__(cls, *, status: int, code: str) -> None:
        cls.status, cls.code = status, code

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or type(self).__name__)


class BadRequest(Refusal, status=400, code="bad_request"):
    """The head is not HTTP/1.1, or two readers might understand it differently."""


class UnreadableBody(Refusal, status=400, code="parse_error"):
    """The body ends early, or its chunks are malformed."""

    detail = "The request's body could not be read."


class ReceiveTimeout(Refusal, status=408, code="request_timeout"):
    """Head or body did not arrive in time (RFC 9110, section 15.5.9)."""

    detail = "The request did not arrive in time."


class BodyTooLarge(Refusal, status=413, code="request_too_large"):
    """The body is larger than REQUEST_MAX_BYTES."""

    detail = "The request body is too large."


class TargetTooLong(Refusal, status=414, code="uri_too_long"):
    """The request line is too long."""


class ExpectationFailed(Refusal, status=417, code="expectation_failed"):
    """The client expects what is unknown here."""


class HeadersTooLarge(Refusal, status=431, code="headers_too_large"):
    """A header, their number or their sum is too large."""


class ApplicationFailed(Refusal, status=500, code="internal_error"):
    """The application raised an exception, or gave an answer that HTTP does not allow."""

    detail = "An unexpected error occurred; it was logged under this requestId."


class UnsupportedTransferCoding(Refusal, status=501, code="unsupported_transfer_coding"):
    """The body is coded in another way than in chunks alone."""


class QueueTimeout(Refusal, status=503, code="busy"):
    """No thread could begin with the request within WEB_QUEUE_TIMEOUT."""

    detail = "The service is busy and could not begin with this request in time; try again."
