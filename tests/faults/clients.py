"""Correct clients: each order has one key and is retried with backoff until the answer is final."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import requests

from tests.faults.ledger import Attempt, Ledger, is_final

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


def attempt_order(url: str, *, key: str, product_id: int, quantity: int, timeout: float = 10.0) -> Attempt:
    """Send one request; return its outcome, never raise."""
    try:
        answer = requests.post(
            f"{url}/orders",
            json={"productId": product_id, "quantity": quantity},
            headers={"Idempotency-Key": key},
            timeout=timeout,
        )
        body = answer.json()
    except (requests.RequestException, ValueError, AttributeError) as error:
        return Attempt(error=type(error).__name__)
    return Attempt(answer.status_code, body)


@dataclass
class Client:
    """Places one order after another, the same ones for the same seed."""

    url: str
    ledger: Ledger
    seed: str
    product_ids: Sequence[int] = (1, 2)
    timeout: float = 10.0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def stop(self) -> None:
        """Stop after the current order."""
        self._stopping.set()

    def run(self, *, give_up_at: float = float("inf")) -> None:
        while not self._stopping.is_set():
            self.place(
                product_id=self._chance.choice(self.product_ids),
                quantity=self._chance.randint(1, 5),
                give_up_at=give_up_at,
            )
            self._stopping.wait(0.02)

    def new_key(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def place(
        self, *, product_id: int, quantity: int, key: str | None = None, give_up_at: float = float("inf")
    ) -> Attempt:
        """Place one order; retry until its answer is final or the client gives up."""
        key = key or self.new_key()
        pause = FIRST_PAUSE
        while True:
            self.ledger.sent(key=key, product_id=product_id, quantity=quantity)
            ended = attempt_order(self.url, key=key, product_id=product_id, quantity=quantity, timeout=self.timeout)
            self.ledger.ended(key, ended)
            if is_final(ended) or time.monotonic() > give_up_at:
                return ended
            time.sleep(pause * (0.5 + random.random()))
            pause = min(LONGEST_PAUSE, pause * 2)


@contextmanager
def ordering(clients: Sequence[Client], *, settled_within: float = 120.0) -> Iterator[None]:
    """Let the clients order while the body runs; at the end, wait until each has finished its order."""
    threads = [threading.Thread(target=client.run, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for client in clients:
            client.stop()
        deadline = time.monotonic() + settled_within
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
