"""Ask a service over HTTP, as any client does, and report the first promise that it breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings

from ops.cli.command import Stopped
from ops.diagnosis.probe import reason
from ops.outbound.session import PeerSession

MAX_BYTES = 10_000_000  # of one answer; a trace of many spans is the longest
PAUSE = 0.25  # seconds between two attempts
SHOWN = 200  # characters of an answer in a report


class CheckFailed(Exception):
    """A promise is broken: the expected and the actual result."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected, self.found = expected, found


@dataclass(frozen=True)
class Answer:
    """The answer of a service."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        text = self.body.decode("utf-8", "replace")
        quoted = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        return f"{self.status} {self.headers.get('Content-Type', 'without a type')}: {json.dumps(quoted)[1:-1]}"

    def document(self) -> Any:
        """Return the JSON of the body, or None."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def expect(self, holds: object, expected: str) -> None:
        """Raise CheckFailed, quoting the answer, unless the condition holds."""
        if not holds:
            raise CheckFailed(expected, str(self))


class HttpProbe:
    """Send requests within a deadline each, and wait for delayed effects within another one."""

    def __init__(self, *, timeout: float, patience: float, is_stopping: Callable[[], bool]) -> None:
        self.timeout, self.patience, self.is_stopping = timeout, patience, is_stopping
        # Untraced: the span of a request of its own would replace the trace that a check sends.
        self._session = PeerSession(settings.CONFIG, max_bytes=MAX_BYTES, traced=False)

    def request(
        self, method: str, url: str, *, body: object = None, headers: Mapping[str, str] | None = None, **params: str
    ) -> Answer:
        """Return the answer, whole; raise CheckFailed where none comes in time."""
        try:
            response = self._session.request(
                method, url, json=body, headers=headers, params=params, timeout=self.timeout, allow_redirects=False
            )
        except (requests.RequestException, OSError) as error:
            raise CheckFailed(f"an answer of {url} within {self.timeout:g} s", reason(error)) from None
        return Answer(response.status_code, response.headers, response.content)

    def wait_for(self, look: Callable[[], None]) -> None:
        """Repeat the check until it passes; raise its last failure, or Stopped."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return look()
            except CheckFailed as failure:
                if time.monotonic() >= deadline:
                    raise CheckFailed(f"within {self.patience:g} s {failure.expected}", failure.found) from None
            if self.is_stopping():
                raise Stopped
            time.sleep(PAUSE)
