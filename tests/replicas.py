"""Replicas of a service that are started anew, one after another, under load."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.processes import Service

FEWEST = 10  # answers between two steps


@dataclass
class Replicas:
    """Replicas of a service, and clients that use those in service, as a gateway would."""

    services: list[Service]
    token: str = ""
    answers: list[int] = field(default_factory=list)
    in_service: list[Service] = field(init=False)
    in_flight: dict[int, int] = field(default_factory=dict)  # requests of each port
    lock: threading.Condition = field(default_factory=threading.Condition)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.in_service = list(self.services)

    @contextmanager
    def clients(self, *senders: Callable[[str], requests.Response]) -> Iterator[None]:
        """Let a client send each of these requests, one after another, until the end."""
        threads = [threading.Thread(target=self.send, args=(request,)) for request in senders]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join(60)

    @contextmanager
    def one(self, number: int) -> Iterator[str]:
        """Yield the URL of a replica that stays in service meanwhile."""
        with self.lock:
            service = self.in_service[number % len(self.in_service)]
            self.in_flight[service.port] = self.in_flight.get(service.port, 0) + 1
        try:
            yield service.url
        finally:
            with self.lock:
                self.in_flight[service.port] -= 1
                self.lock.notify_all()

    def send(self, request: Callable[[str], requests.Response]) -> None:
        """Send one request after another to alternating replicas."""
        for number in itertools.count():
            if self.stopping.is_set():
                return
            with self.one(number) as url:
                self.answers.append(request(url).status_code)

    def wait_for_more(self) -> None:
        """Wait until clients have got some more answers."""
        wanted, deadline = len(self.answers) + FEWEST, time.monotonic() + 90
        while len(self.answers) < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def replace_all(self, **env: str) -> None:
        """Start each replica anew with these variables, one after the other: drain, stop, start, join."""
        for service in self.services:
            with self.lock:
                self.in_service.remove(service)
                while self.in_flight.get(service.port):
                    assert self.lock.wait(60)
            service.stop()
            service.env |= env
            service.start()
            with self.lock:
                self.in_service.append(service)
            self.wait_for_more()
