"""Ask a service from outside, as any client does, and say where it breaks a promise."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from ops.cli.command import Stopped
from ops.diagnosis.probe import reason
from ops.outbound.deadline_adapter import DeadlineAdapter, limit_exchange

MAX_BYTES = 10_000_000  # of one answer; a trace of many spans is the longest
PAUSE = 0.25  # seconds between two looks at what takes its time
SHOWN = 200  # characters of an answer that a report quotes


class Broken(Exception):
    """A promise does not hold: what it says, and what came instead."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected, self.found = expected, found


@dataclass(frozen=True)
class Answer:
    """What a service said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        text = self.body.decode("utf-8", "replace")
        quoted = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        return f"{self.status} {self.headers.get('Content-Type', 'without a type')}: {json.dumps(quoted)[1:-1]}"

    def document(self) -> Any:
        """Return the JSON that it holds; None where it holds none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def must(self, holds: object, expected: str) -> None:
        """Raise Broken, quoting the answer, unless the promise holds."""
        if not holds:
            raise Broken(expected, str(self))


class Outside:
    """Send requests, each within its deadline, and wait for what comes later, within another."""

    def __init__(self, *, timeout: float, patience: float, is_stopping: Callable[[], bool]) -> None:
        self.timeout, self.patience, self.is_stopping = timeout, patience, is_stopping
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy: the services are asked, nobody between
        self._session.mount("http://", DeadlineAdapter())
        self._session.mount("https://", DeadlineAdapter())

    def ask(
        self, method: str, url: str, *, body: object = None, headers: Mapping[str, str] | None = None, **params: str
    ) -> Answer:
        """Return the answer, whole; raise Broken where none comes in time."""
        limit_exchange(time.monotonic() + self.timeout, MAX_BYTES)
        try:
            with suppress_http_instrumentation():  # it would put a traceparent of its own over ours
                response = self._session.request(
                    method,
                    url,
                    json=body,
                    headers=headers,
                    params=params,
                    timeout=self.timeout,
                    allow_redirects=False,
                )
        except (requests.RequestException, OSError) as error:
            raise Broken(f"an answer of {url} within {self.timeout:g} s", reason(error)) from None
        return Answer(response.status_code, response.headers, response.content)

    def wait_for(self, look: Callable[[], None]) -> None:
        """Look again until the promise holds; raise what it said last, or Stopped."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return look()
            except Broken as broken:
                if time.monotonic() >= deadline:
                    raise Broken(f"within {self.patience:g} s {broken.expected}", broken.found) from None
            if self.is_stopping():
                raise Stopped
            time.sleep(PAUSE)
