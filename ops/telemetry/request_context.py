"""The facts of the request that the current context serves; `add_request` puts them into its log lines.

The server or the middleware begins a context. A thread that runs in a copy of it (`contextvars.copy_context`) changes
only its own.
"""

from __future__ import annotations

import re
import secrets
import time
from contextvars import ContextVar
from typing import Any, NamedTuple

from structlog.contextvars import clear_contextvars
from structlog.typing import EventDict, WrappedLogger


class PeerFailure(NamedTuple):
    """Say how the last call to a peer failed, after `tries` requests."""

    peer: str
    outcome: str  # the metric's label
    reason: str
    tries: int


class RequestContext(NamedTuple):
    """Hold what is known of the current request; a command has no request id and no arrival."""

    request_id: str | None = None
    arrived_at: float | None = None  # time.monotonic()
    trace_id: str | None = None
    span_id: str | None = None
    peer_failure: PeerFailure | None = None


NONE = RequestContext()
ARRIVED_AT = "argos.arrived_at"  # the key of request.META: when the request was complete, by time.monotonic()
WELL_FORMED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}", re.ASCII)  # a request id from outside
EXCEPTION = "argos.exception"  # the key of request.META that holds the request's unhandled exception
_current: ContextVar[RequestContext] = ContextVar("request_context", default=NONE)


def current() -> RequestContext:
    """Return the facts that are known so far."""
    return _current.get()


def clear() -> None:
    """Forget the request before this one, and its log fields."""
    clear_contextvars()
    _current.set(NONE)


def begin(request_id: str | None = None, *, arrived_at: float | None = None) -> RequestContext:
    """Start the context of a request; make an id where the client sent none, and take now as its arrival."""
    request_id = request_id or secrets.token_hex(16)
    clear_contextvars()
    context = RequestContext(request_id, time.monotonic() if arrived_at is None else arrived_at)
    _current.set(context)
    return context


def set_trace(trace_id: str, span_id: str) -> None:
    """Name the span of this request or command, in W3C's hexadecimal form."""
    _current.set(_current.get()._replace(trace_id=trace_id, span_id=span_id))


def set_peer_failure(failure: PeerFailure) -> None:
    """Keep the failure for the request's one log line, instead of a line for each request while the peer is down."""
    _current.set(_current.get()._replace(peer_failure=failure))


def log_fields() -> dict[str, Any]:
    """Return the facts that a log line of this context has."""
    context = _current.get()
    fields: dict[str, Any] = {}
    if context.request_id is not None:
        fields["request_id"] = context.request_id
    if context.trace_id is not None:
        fields |= {"trace_id": context.trace_id, "span_id": context.span_id}
    if (failure := context.peer_failure) is not None:
        fields |= {
            "peer": failure.peer,
            "peer_outcome": failure.outcome,
            "peer_reason": failure.reason,
            "peer_tries": failure.tries,
        }
    return fields


def add_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the request's facts to a log line, as a processor of structlog; to bind them would cost more."""
    return {**log_fields(), **event}
