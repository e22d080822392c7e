"""GET from a peer with timeouts, a deadline, retries within a budget, and a breaker."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar

import requests
import structlog
import urllib3
from requests.structures import CaseInsensitiveDict

from ops import metrics
from ops.circuit_breaker import BreakerOpen, CircuitBreaker, RetryBudget
from ops.deadline_adapter import DeadlineAdapter, limit_exchange

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
        self._retries_refused = metrics.http_client_retries_refused_total.labels(peer)  # from 0 on

    def get(self, url: str, read: Callable[[int, bytes], T]) -> T:
        """Return `read(status, body)` of the peer's answer below 500; raise PeerUnavailable.

        `read` raises InvalidAnswer for what breaks the contract, which counts as a failure of the peer and is not
        retried; whatever else it raises passes through and counts as a success.
        """
        deadline = time.monotonic() + self._policy.deadline.total_seconds()
        self._budget.earn()
        for attempt in range(1, self._policy.max_tries + 1):
            try:
                return self._try(url, read, deadline)
            except PeerUnavailable as failure:
                pause = random.uniform(0, self._policy.max_backoff.total_seconds())  # noqa: S311 - jitter, not a secret
                is_last = attempt == self._policy.max_tries or time.monotonic() + pause >= deadline
                if is_last or not failure.retriable or not self._may_retry():
                    # In the request's one log line, not in a line more for each request while the peer is down.
                    structlog.contextvars.bind_contextvars(
                        peer=self.peer, peer_outcome=failure.outcome, peer_reason=str(failure), peer_tries=attempt
                    )
                    raise
                time.sleep(pause)
        raise AssertionError("a policy allows at least one try")

    def _may_retry(self) -> bool:
        allowed = self._budget.spend()
        if not allowed:
            self._retries_refused.inc()
        return allowed

    def _try(self, url: str, read: Callable[[int, bytes], T], deadline: float) -> T:
        started = time.monotonic()
        try:
            permit = self._breaker.acquire()
        except BreakerOpen as opened:
            metrics.http_client_requests_total.labels(self.peer, "breaker_open").inc()
            raise PeerUnavailable("breaker_open", str(opened), retry_after=opened.retry_after) from None
        outcome = "error"  # what is left if something unforeseen escapes
        try:
            status, body = self._exchange(url, min(deadline, started + self._policy.try_timeout.total_seconds()))
            outcome = "success"
            return read(status, body)
        except PeerUnavailable as failure:
            outcome = failure.outcome
            raise
        except InvalidAnswer as reason:
            outcome = "invalid_answer"
            self._session().close()  # what else comes on that connection is no answer either
            raise PeerUnavailable(outcome, str(reason)) from None
        finally:
            self._breaker.record(permit, failed=outcome != "success")
            metrics.http_client_requests_total.labels(self.peer, outcome).inc()
            metrics.http_client_request_duration_seconds.labels(self.peer).observe(time.monotonic() - started)

    def _exchange(self, url: str, deadline: float) -> tuple[int, bytes]:
        """Send one request and read its answer whole, by the deadline; raise PeerUnavailable."""
        limit_exchange(deadline, self._policy.max_bytes + HEAD_BYTES)
        connect_timeout = self._policy.connect_timeout.total_seconds()
        try:
            with self._session().send(_request(url), timeout=connect_timeout, stream=True, proxies={}) as response:
                body = self._read_body(response)
        # requests' own errors are OSErrors; AttributeError is what urllib3 raises of a connection reset while it sends.
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            cause = _root_cause(error)
            outcome = "timeout" if isinstance(cause, TimeoutError) else "connection_error"
            raise PeerUnavailable(outcome, type(cause).__name__, retriable=True) from error
        if response.status_code >= 500:
            raise PeerUnavailable("server_error", f"answered {response.status_code}", retriable=True)
        if len(body) > self._policy.max_bytes:
            raise InvalidAnswer(f"answered more than {self._policy.max_bytes} bytes")
        return response.status_code, body

    def _read_body(self, response: requests.Response) -> bytes:
        """Return the body as it was sent, or one byte more than allowed; an end before Content-Length is an error."""
        body = b""
        while chunk := response.raw.read(self._policy.max_bytes + 1 - len(body)):
            body += chunk
        return body

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = _Session()
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
            session.trust_env = False  # no proxy and no .netrc between services
            session.mount("http://", DeadlineAdapter())
            session.mount("https://", DeadlineAdapter())
            self._local.session = session
        return session


class _Session(requests.Session):
    """Follow no redirect; with `allow_redirects=False`, requests still parses it and reads its body, however long."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _root_cause(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error


def _request(url: str) -> requests.PreparedRequest:
    """Return the request as it is sent; to have the session merge and encode it takes a quarter of the whole call."""
    request = requests.PreparedRequest()
    request.method = "GET"
    request.url = url
    request.headers = CaseInsensitiveDict(HEADERS)
    if request_id := structlog.contextvars.get_contextvars().get("request_id"):
        request.headers["X-Request-ID"] = request_id
    return request
