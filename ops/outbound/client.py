"""Idempotent requests to a peer, with timeouts, a deadline, retries within a budget, and a breaker."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import structlog

from ops.outbound.circuit_breaker import BreakerOpen, CircuitBreaker, RetryBudget
from ops.outbound.deadline_adapter import limit_exchange
from ops.outbound.keepalive_connection import KeptConnection
from ops.telemetry import metrics
from ops.telemetry.client_span import client_span, set_answer
from ops.turns import waiting

T = TypeVar("T")

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "argos"}
HEAD_BYTES = 65_536  # room for an answer's status line, headers and framing, on top of its body


@dataclass(frozen=True)
class Policy:
    """Bound one call: each try, the whole, and how much of an answer is read."""

    connect_timeout: timedelta
    try_timeout: timedelta
    deadline: timedelta
    max_tries: int
    max_backoff: timedelta = timedelta(milliseconds=250)
    max_bytes: int = 65_536


class Answer(NamedTuple):
    """What a peer said; `tries` is how many requests were sent until it did."""

    status: int
    body: bytes
    headers: http.client.HTTPMessage
    tries: int = 1


class PeerUnavailable(Exception):
    """The peer gave no usable answer in time; `outcome` is the metric's label, `retry_after` when to come back."""

    def __init__(
        self, outcome: str, reason: str, *, retry_after: timedelta = timedelta(seconds=1), retriable: bool = False
    ) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.retry_after = retry_after
        self.retriable = retriable


class InvalidAnswer(Exception):
    """Raised by a `read` function: the answer is not what the peer's contract says."""


class HttpClient:
    """Talk to one peer. Share one instance among the threads of a process: each thread has its own connections."""

    def __init__(self, peer: str, policy: Policy, breaker: CircuitBreaker, budget: RetryBudget) -> None:
        self.peer = peer
        self._policy = policy
        self._breaker = breaker
        self._budget = budget
        self._local = threading.local()
        self.authorities: str | None = None  # the path of the certificates to trust in place of the common ones
        self._retries_refused = metrics.http_client_retries_refused_total.labels(peer)  # from 0 on

    def get(self, url: str, read: Callable[[int, bytes], T]) -> T:
        """Return `read(status, body)` of the peer's answer below 500 to a GET; see `request`."""
        return self.request("GET", url, lambda answer: read(answer.status, answer.body))

    def request(
        self, method: str, url: str, read: Callable[[Answer], T], *, document: Any = None, token: str | None = None
    ) -> T:
        """Return `read(answer)` of the peer's answer below 500; raise PeerUnavailable.

        The method must be idempotent, such as GET, PUT and DELETE, as any request may be sent again. `document` is sent
        as JSON, `token` as the bearer's. `read` raises InvalidAnswer for what breaks the contract, which counts as a
        failure of the peer and is not retried; whatever else it raises passes through and counts as a success.
        """
        request = _request(method, url, document, token)
        deadline = time.monotonic() + self._policy.deadline.total_seconds()
        self._budget.earn()
        for attempt in range(1, self._policy.max_tries + 1):
            try:
                return self._try(request, read, deadline, attempt)
            except PeerUnavailable as failure:
                pause = random.uniform(0, self._policy.max_backoff.total_seconds())  # noqa: S311 - jitter, not a secret
                is_last = attempt == self._policy.max_tries or time.monotonic() + pause >= deadline
                if is_last or not failure.retriable or not self._may_retry():
                    # In the request's one log line, not in a line more for each request while the peer is down.
                    structlog.contextvars.bind_contextvars(
                        peer=self.peer, peer_outcome=failure.outcome, peer_reason=str(failure), peer_tries=attempt
                    )
                    raise
                with waiting:
                    time.sleep(pause)
        raise AssertionError("a policy allows at least one try")

    def _may_retry(self) -> bool:
        allowed = self._budget.spend()
        if not allowed:
            self._retries_refused.inc()
        return allowed

    def _try(self, request: _Request, read: Callable[[Answer], T], deadline: float, attempt: int) -> T:
        started = time.monotonic()
        try:
            permit = self._breaker.acquire()
        except BreakerOpen as opened:
            metrics.http_client_requests_total.labels(self.peer, "breaker_open").inc()
            raise PeerUnavailable("breaker_open", str(opened), retry_after=opened.retry_after) from None
        outcome = "error"  # what is left if something unforeseen escapes
        try:
            answer = self._exchange(request, min(deadline, started + self._policy.try_timeout.total_seconds()))
            outcome = "success"
            return read(answer._replace(tries=attempt) if attempt > 1 else answer)
        except PeerUnavailable as failure:
            outcome = failure.outcome
            raise
        except InvalidAnswer as reason:
            outcome = "invalid_answer"
            self._connection().close()  # what else comes on that connection is no answer either
            raise PeerUnavailable(outcome, str(reason)) from None
        finally:
            self._breaker.record(permit, failed=outcome != "success")
            metrics.http_client_requests_total.labels(self.peer, outcome).inc()
            metrics.http_client_request_duration_seconds.labels(self.peer).observe(time.monotonic() - started)

    def _exchange(self, request: _Request, deadline: float) -> Answer:
        """Send one request and read its answer whole, by the deadline; raise PeerUnavailable."""
        limit_exchange(deadline, self._policy.max_bytes + HEAD_BYTES)
        connection = self._connection()
        try:
            with client_span(request.method, request.url, request.headers) as span:
                response = connection.send(*request)
                set_answer(span, response.status, response.version, connection.peer_address())
                body = self._read_body(response)
        except (http.client.HTTPException, OSError, ValueError) as error:
            connection.close()
            cause = _root_cause(error)
            outcome = "timeout" if isinstance(cause, TimeoutError) else "connection_error"
            raise PeerUnavailable(outcome, type(cause).__name__, retriable=True) from error
        if response.status >= 500:
            raise PeerUnavailable("server_error", f"answered {response.status}", retriable=True)
        if len(body) > self._policy.max_bytes:
            raise InvalidAnswer(f"answered more than {self._policy.max_bytes} bytes")
        return Answer(response.status, body, response.headers)

    def _read_body(self, response: http.client.HTTPResponse) -> bytes:
        """Return the body as it was sent, or one byte more than allowed; an end before Content-Length is an error."""
        body = b""
        while chunk := response.read(self._policy.max_bytes + 1 - len(body)):
            body += chunk
        if response.length and len(body) <= self._policy.max_bytes:
            raise http.client.IncompleteRead(body, response.length)
        return body

    def _connection(self) -> KeptConnection:
        """Return this thread's connection."""
        connection: KeptConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            timeout = self._policy.connect_timeout.total_seconds()
            connection = self._local.connection = KeptConnection(timeout, self.authorities)
        return connection


def _root_cause(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error


class _Request(NamedTuple):
    method: str
    url: str
    body: bytes | None
    headers: dict[str, str]


def _request(method: str, url: str, document: Any, token: str | None) -> _Request:
    headers = dict(HEADERS)
    if document is not None:
        headers["Content-Type"] = "application/json"
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if request_id := structlog.contextvars.get_contextvars().get("request_id"):
        headers["X-Request-ID"] = request_id
    return _Request(method, url, None if document is None else json.dumps(document).encode(), headers)
