"""Clients that keep a service busy and record the outcome of each request."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["answered", "refused", "cut off"]


@dataclass
class Request:
    """The outcome of one request."""

    outcome: Outcome
    status: int = 0
    body: bytes = b""
    error: str = ""


@dataclass
class Load:
    """Threads that send one request after another."""

    port: int
    method: str
    path: str
    body: bytes | None = None
    pause: float = 0.0
    requests: list[Request] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def ended(self, outcome: Outcome) -> list[Request]:
        return [request for request in list(self.requests) if request.outcome == outcome]

    def wait_for(self, count: int, within: float = 90.0) -> None:
        """Wait until this number of requests was answered."""
        deadline = time.monotonic() + within
        while len(self.ended("answered")) < count:
            assert time.monotonic() < deadline, self.requests[-5:]
            time.sleep(0.01)

    def stop(self) -> None:
        self._stopping.set()

    def run(self, *, keep_alive: bool) -> None:
        connection = None
        while not self._stopping.wait(self.pause):
            connection = connection or self._connect()
            if connection is None:
                time.sleep(0.01)
                continue
            if not self._send(connection, keep_alive=keep_alive) or not keep_alive or connection.sock is None:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.connect()
        except ConnectionRefusedError:
            self.requests.append(Request("refused"))
            return None
        return connection

    def _send(self, connection: http.client.HTTPConnection, *, keep_alive: bool) -> bool:
        headers = {"Content-Type": "application/json", "Connection": "keep-alive" if keep_alive else "close"}
        try:
            connection.request(self.method, self.path, self.body, headers)
            answer = connection.getresponse()
            self.requests.append(Request("answered", answer.status, answer.read()))
        except (OSError, http.client.HTTPException) as error:
            self.requests.append(Request("cut off", error=repr(error)))
            return False
        return True


@contextmanager
def load(
    port: int, method: str, path: str, body: bytes | None = None, *, clients: int = 6, pause: float = 0.0
) -> Iterator[Load]:
    """Yield working clients that pause before each request; half of them keep their connections alive."""
    running = Load(port, method, path, body, pause)
    threads = [
        threading.Thread(target=running.run, kwargs={"keep_alive": number % 2 == 0}) for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stop()
        for thread in threads:
            thread.join()
