"""Idempotent requests to a peer, with timeouts, a deadline, retries within a budget, and a breaker."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from ops.config.service import ServiceConfig
from ops.outbound.answer_reader import AnswerTooLong, ReceivedAnswer
from ops.outbound.circuit_breaker import BreakerOpen, CircuitBreaker
from ops.outbound.origin import HEADERS, Origin
from ops.outbound.retry_budget import RetryBudget
from ops.telemetry import metrics, request_context
from ops.telemetry.request_context import PeerFailure
from ops.turns import seconds_since_arrival, waiting

T = TypeVar("T")


@dataclass(frozen=True)
class Policy:
    """Bound one call: each attempt to connect, each try, and the whole."""

    connect_timeout: timedelta
    try_timeout: timedelta
    deadline: timedelta
    max_tries: int
    max_backoff: timedelta = timedelta(milliseconds=250)


class Answer(NamedTuple):
    """The answer of a peer, with its headers by lower-case name; `tries` counts the requests sent until it came."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    tries: int = 1


class PeerUnavailable(Exception):
    """The peer gave no valid answer in time; `outcome` is the metric's label, `retry_after` the time to wait."""

    def __init__(
        self, outcome: str, reason: str, *, retry_after: timedelta = timedelta(seconds=1), retriable: bool = False
    ) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.retry_after = retry_after
        self.retriable = retriable


class InvalidAnswer(Exception):
    """Raised by a `read` function: the answer breaks the contract of the peer."""


class Call(NamedTuple):
    """The request of a call, sent again by each try; `base` is its scheme, host and port."""

    method: str
    base: str
    target: str
    headers: dict[str, str]
    body: bytes


class HttpClient:
    """Talk to one peer. All threads of a process share one instance, and each has connections of its own."""

    def __init__(
        self, peer: str, policy: Policy, breaker: CircuitBreaker, budget: RetryBudget, config: ServiceConfig
    ) -> None:
        self.peer = peer
        self._policy = policy
        self._breaker = breaker
        self._budget = budget
        self._config = config
        self._origins = _Origins()
        # Looked up once; the first one counts from 0 on.
        self._retries_refused = metrics.http_client_retries_refused_total.labels(peer)
        self._duration = metrics.http_client_request_duration_seconds.labels(peer)
        self._outcomes = cache(lambda outcome: metrics.http_client_requests_total.labels(peer, outcome))

    def request(
        self,
        method: str,
        url: str,
        read: Callable[[Answer], T],
        *,
        document: Any = None,
        token: str | None = None,
    ) -> T:
        """Return `read(answer)` of the peer's answer below 500; raise PeerUnavailable.

        The method must be idempotent, such as GET, PUT and DELETE, as any request may be sent again. `document` is sent
        as JSON, `token` as the bearer's. `read` raises InvalidAnswer for a broken contract. That counts as a failure
        of the peer and is not retried. Other exceptions of `read` pass through and count as a success.
        """
        # From the arrival of the request that asks for this, which may have waited for its thread.
        ends = time.monotonic() + self._policy.deadline.total_seconds() - seconds_since_arrival()
        self._budget.earn()
        call = _call(method, url, document, token)
        for attempt in range(1, self._policy.max_tries + 1):
            try:
                return self._try(call, read, ends, attempt)
            except PeerUnavailable as failure:
                pause = random.uniform(0, self._policy.max_backoff.total_seconds())  # noqa: S311 - jitter, not a secret
                is_last = attempt == self._policy.max_tries or time.monotonic() + pause >= ends
                if is_last or not failure.retriable or not self._may_retry():
                    request_context.set_peer_failure(PeerFailure(self.peer, failure.outcome, str(failure), attempt))
                    raise
                with waiting:
                    time.sleep(pause)
        raise AssertionError("a policy allows at least one try")

    def _may_retry(self) -> bool:
        allowed = self._budget.spend()
        if not allowed:
            self._retries_refused.inc()
        return allowed

    def _try(self, call: Call, read: Callable[[Answer], T], ends: float, attempt: int) -> T:
        started = time.monotonic()
        if started >= ends:  # the peer was not called, so this is not its failure
            raise PeerUnavailable("deadline_exceeded", "no time was left for the call")
        try:
            permit = self._breaker.acquire()
        except BreakerOpen as opened:
            self._outcomes("breaker_open").inc()
            raise PeerUnavailable("breaker_open", str(opened), retry_after=opened.retry_after) from None
        outcome = "error"  # stays so if something unforeseen escapes
        try:
            found = self._send(call, min(ends - started, self._policy.try_timeout.total_seconds()))
            outcome = "success"
            return read(Answer(found.status, found.body, found.fields, attempt))
        except PeerUnavailable as failure:
            outcome = failure.outcome
            raise
        except InvalidAnswer as reason:
            outcome = "invalid_answer"
            self._origin(call.base).close()  # further bytes on that connection are not a valid answer either
            raise PeerUnavailable(outcome, str(reason)) from None
        finally:
            self._breaker.record(permit, failed=outcome != "success")
            self._outcomes(outcome).inc()
            self._duration.observe(time.monotonic() - started)

    def _send(self, call: Call, seconds: float) -> ReceivedAnswer:
        """Return the peer's answer below 500; raise PeerUnavailable or InvalidAnswer."""
        try:
            answer = self._origin(call.base).exchange(
                call.method,
                call.target,
                call.headers,
                call.body,
                connect_timeout=self._policy.connect_timeout.total_seconds(),
                seconds=seconds,
            )
        except AnswerTooLong as error:
            raise InvalidAnswer(str(error)) from None
        except (http.client.HTTPException, OSError, ValueError) as error:
            outcome = "timeout" if isinstance(error, TimeoutError) else "connection_error"
            raise PeerUnavailable(outcome, type(error).__name__, retriable=True) from error
        if answer.status >= 500:
            raise PeerUnavailable("server_error", f"answered {answer.status}", retriable=True)
        return answer

    def _origin(self, base: str) -> Origin:
        """Return this thread's connection to an origin."""
        origin = self._origins.of_base.get(base)
        if origin is None:
            config = self._config
            origin = self._origins.of_base[base] = Origin(
                base, authorities=config.peer_ca_bundle, certificate=config.peer_client_certificate
            )
        return origin


class _Origins(threading.local):
    def __init__(self) -> None:
        self.of_base: dict[str, Origin] = {}


def _call(method: str, url: str, document: Any, token: str | None) -> Call:
    headers = HEADERS.copy()
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if request_id := request_context.current().request_id:
        headers["X-Request-ID"] = request_id
    body = b"" if document is None else json.dumps(document).encode()
    if document is not None:
        headers["Content-Type"] = "application/json"
    if method != "GET":
        headers["Content-Length"] = str(len(body))
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Call(method, f"{parts.scheme}://{parts.netloc}", target, headers, body)
