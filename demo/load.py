"""Send seeded load to both services for a while: orders, reads, searches, repeated orders and mistakes.

`make demo` and the profile `demo` of the compose stack use it: `python -m demo.load --help`. It needs `requests` alone.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

import requests

RATE = 20  # requests a second
CLIENTS = 64  # at most; a request that finds all of them waiting is sent late
DOING = {"order": 10, "browse": 5, "search": 2, "repeat": 1, "mistake": 2}  # of twenty requests
MISTAKES: tuple[dict[str, Any], ...] = ({"productId": "x"}, {"productId": 999_999, "quantity": 1}, {"productId": 1})
UNANSWERED = 599  # the status of a request without an answer
LONGEST = 3600  # seconds


@dataclass(frozen=True)
class Answer:
    """A request of the load: when it was sent, what it did and what came of it."""

    at: float
    doing: str
    status: int
    code: str
    seconds: float


def send(doing: str, number: int, products: str, orders: str) -> requests.Response:
    """Send one request; the number decides its details."""
    product = number % 2 + 1
    if doing == "browse":
        return requests.get(f"{products}/products/{product}", timeout=30)
    if doing == "search":
        return requests.get(f"{products}/products", {"search": ("laptop", "keyboard")[product - 1]}, timeout=30)
    order = MISTAKES[number % 3] if doing == "mistake" else {"productId": product, "quantity": number % 3 + 1}
    headers = {"Idempotency-Key": uuid4().hex} if doing == "repeat" else {}
    if doing == "repeat":  # as after a lost answer
        requests.post(f"{orders}/orders", json=order, headers=headers, timeout=30)
    return requests.post(f"{orders}/orders", json=order, headers=headers, timeout=30)


def answered(doing: str, number: int, products: str, orders: str, begun: float) -> Answer:
    """Send one request and return what came of it."""
    sent = time.monotonic()
    try:
        answer = send(doing, number, products, orders)
        status, code = answer.status_code, "" if answer.ok else answer.json()["code"]
    except (requests.RequestException, ValueError, KeyError) as error:
        status, code = UNANSWERED, type(error).__name__
    return Answer(sent - begun, doing, status, code, time.monotonic() - sent)


def plan(seed: int, seconds: int) -> list[tuple[str, int]]:
    """Return the requests: the same ones for the same seed."""
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    doing = chance.choices(list(DOING), list(DOING.values()), k=RATE * seconds)
    return [(one, chance.randrange(1_000)) for one in doing]


def drive(
    seed: int, seconds: int, products: str, orders: str, before_each: Callable[[float], None] = lambda _: None
) -> list[Answer]:
    """Send the load at its rate; call `before_each` with the second of each request; return all answers."""
    begun = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        waiting = []
        for position, (doing, number) in enumerate(plan(seed, seconds)):
            before_each(position / RATE)
            time.sleep(max(0.0, begun + position / RATE - time.monotonic()))
            waiting.append(clients.submit(answered, doing, number, products, orders, begun))
        return [future.result() for future in waiting]


def counted(answers: list[Answer]) -> str:
    """Return how many answers have each status."""
    statuses = Counter("no answer" if answer.status == UNANSWERED else str(answer.status) for answer in answers)
    return ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))


def main() -> None:
    """Send the load and say what came of it; exit with 1 if no request was answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", required=True, metavar="URL", help="such as http://localhost:3001")
    parser.add_argument("--orders", required=True, metavar="URL", help="such as http://localhost:3002")
    parser.add_argument("--seed", type=int, default=1, help="the same one sends the same requests")
    parser.add_argument(
        "--seconds", type=int, default=60, choices=range(1, LONGEST + 1), metavar=f"1..{LONGEST}", help="of load"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # process 1 of a container has no default
    print(f"Seed {options.seed}, {RATE} requests a second for {options.seconds} s.", flush=True)
    answers = drive(options.seed, options.seconds, options.products, options.orders)
    print(f"Sent {len(answers)} requests: {counted(answers)}.")
    sys.exit(all(answer.status == UNANSWERED for answer in answers))


if __name__ == "__main__":
    main()
