"""Idempotent requests to a peer, with timeouts, a deadline, retries within a budget, and a breaker."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import requests

from ops.outbound.circuit_breaker import BreakerOpen, CircuitBreaker
from ops.outbound.deadline_adapter import BodyTooLong
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
    """The answer of a peer; `tries` is how many requests were sent until it came."""

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


class HttpClient:
    """Talk to one peer. All threads of a process share one instance; `open_session` gives each thread its session."""

    def __init__(
        self,
        peer: str,
        policy: Policy,
        breaker: CircuitBreaker,
        budget: RetryBudget,
        open_session: Callable[[], requests.Session],
    ) -> None:
        self.peer = peer
        self._policy = policy
        self._breaker = breaker
        self._budget = budget
        self._open_session = open_session
        self._local = threading.local()
        self._retries_refused = metrics.http_client_retries_refused_total.labels(peer)  # from 0 on

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
        for attempt in range(1, self._policy.max_tries + 1):
            try:
                request = self._prepared(method, url, document, token)
                return self._try(request, read, ends, attempt)
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

    def _try(self, request: requests.PreparedRequest, read: Callable[[Answer], T], ends: float, attempt: int) -> T:
        started = time.monotonic()
        if started >= ends:  # the peer was not called, so this is not its failure
            raise PeerUnavailable("deadline_exceeded", "no time was left for the call")
        try:
            permit = self._breaker.acquire()
        except BreakerOpen as opened:
            metrics.http_client_requests_total.labels(self.peer, "breaker_open").inc()
            raise PeerUnavailable("breaker_open", str(opened), retry_after=opened.retry_after) from None
        outcome = "error"  # stays so if something unforeseen escapes
        try:
            response = self._send(request, min(ends - started, self._policy.try_timeout.total_seconds()))
            outcome = "success"
            return read(Answer(response.status_code, response.content, response.headers, attempt))
        except PeerUnavailable as failure:
            outcome = failure.outcome
            raise
        except InvalidAnswer as reason:
            outcome = "invalid_answer"
            self._local.session.close()  # further bytes on that connection are not a valid answer either
            raise PeerUnavailable(outcome, str(reason)) from None
        finally:
            self._breaker.record(permit, failed=outcome != "success")
            metrics.http_client_requests_total.labels(self.peer, outcome).inc()
            metrics.http_client_request_duration_seconds.labels(self.peer).observe(time.monotonic() - started)

    def _send(self, request: requests.PreparedRequest, seconds: float) -> requests.Response:
        """Return the peer's answer below 500; raise PeerUnavailable or InvalidAnswer."""
        timeouts = (self._policy.connect_timeout.total_seconds(), seconds)
        try:
            response: requests.Response = self._local.session.send(request, timeout=timeouts)
        except BodyTooLong as error:
            raise InvalidAnswer(str(error)) from None
        except requests.RequestException as error:
            outcome = "timeout" if isinstance(error, requests.Timeout) else "connection_error"
            raise PeerUnavailable(outcome, str(error), retriable=True) from error
        if response.status_code >= 500:
            raise PeerUnavailable("server_error", f"answered {response.status_code}", retriable=True)
        return response

    def _prepared(self, method: str, url: str, document: Any, token: str | None) -> requests.PreparedRequest:
        """Return the request, made of this thread's last one by this method: to prepare an URL takes long."""
        prepared: dict[str, requests.PreparedRequest] | None = getattr(self._local, "prepared", None)
        if prepared is None:
            self._local.session = self._open_session()
            prepared = self._local.prepared = {}
        request = prepared.get(method)
        if request is None:
            request = prepared[method] = self._local.session.prepare_request(requests.Request(method, url))
        request.url = url
        request.prepare_headers({**self._local.session.headers, **_headers(token)})
        request.prepare_body(None, None, document)
        return request


def _headers(token: str | None) -> dict[str, str]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if request_id := request_context.current().request_id:
        headers["X-Request-ID"] = request_id
    return headers
