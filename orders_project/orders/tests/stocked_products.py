"""A products service with reservations, in memory and behind a real socket, that has faults when told to."""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ops.tests.service_tokens import claims_of
from orders_project.orders.tests.scripted_products import ScriptedProducts, Wire, orders_asking

Answer = tuple[int, dict[str, Any]]
Fault = Callable[[Wire, Callable[[], Answer]], None]

# The time limits of a call with a concurrent action, and of one without an answer.
PATIENT = {"products_try_timeout": 20, "products_deadline": 30, "order_lease": 60}
IMPATIENT = {"web_queue_timeout": 0.9, "products_try_timeout": 0.4, "products_deadline": 1}


@dataclass
class Held:
    """One reservation."""

    wanted: dict[str, Any]
    status: str = "held"


@dataclass
class Stock:
    """The stock of the tracked products and the reservations; `faults` affect the next requests of a method."""

    stock: dict[int, int] = field(default_factory=lambda: {1: 10})
    reservations: dict[str, Held] = field(default_factory=dict)
    faults: defaultdict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __hash__(self) -> int:  # as a script is a member of a set, or not
        return id(self)

    def __call__(self, wire: Wire) -> None:
        """Answer one request, or have the next fault instead."""
        request = re.match(rb"(\w+) (\S+) HTTP/1.1\r\n", wire.headers)
        assert request
        method, path = request[1].decode(), request[2].decode()
        with self.lock:
            self.asked.append(method)
            fault = self.faults[method].popleft() if self.faults[method] and "/reservations/" in path else None

        def act() -> Answer:
            with self.lock:
                return self.act(method, path, wire)

        if fault:
            fault(wire, act)
        elif path.startswith("/products/"):
            wire.answer(200, json.dumps({"id": wire.product_id, "name": "Quantum Laptop"}).encode(), **self.head(wire))
        else:
            answer(wire, act())

    def head(self, wire: Wire) -> dict[str, str]:
        return {"Argos_Stock": "tracked"} if wire.product_id in self.stock else {}

    def act(self, method: str, path: str, wire: Wire) -> Answer:
        """Do the work of products and return its answer."""
        shown = re.search(rb"\r\nAuthorization: ([^\r]+)", wire.headers)
        if not shown or claims_of(shown[1].decode()).get("aud") != "products-service":
            return 401, {"code": "invalid_token"}
        name = path.removeprefix("/reservations/")
        found = self.reservations.get(name)
        if method == "PUT":
            return self.reserve(name, json.loads(wire.body), found)
        if method == "DELETE":
            if found and found.status == "held":
                self.stock[found.wanted["productId"]] += found.wanted["quantity"]
            self.reservations[name] = Held(found.wanted if found else {}, "cancelled")
            return 204, {}
        if found is None:
            return 404, {"code": "not_found"}
        return 200, {"id": name, **found.wanted, "status": found.status}

    def reserve(self, name: str, wanted: dict[str, Any], found: Held | None) -> Answer:
        if found and found.status == "cancelled":
            return 409, {"code": "reservation_cancelled"}
        if found:
            same = found.wanted == wanted
            return (200, {"id": name, **wanted, "status": "held"}) if same else (422, {"code": "reservation_reused"})
        if wanted["productId"] not in self.stock:
            return 404, {"code": "not_found"}
        left = self.stock[wanted["productId"]]
        if left < wanted["quantity"]:
            return 409, {"code": "out_of_stock", "available": left}
        self.stock[wanted["productId"]] -= wanted["quantity"]
        self.reservations[name] = Held(wanted)
        return 201, {"id": name, **wanted, "status": "held"}

    def held(self) -> int:
        """Return the number of held pieces."""
        return sum(one.wanted["quantity"] for one in self.reservations.values() if one.status == "held")

    def have(self, method: str, *faults: Fault) -> None:
        """Inject these faults into the next requests of this method."""
        self.faults[method].extend(faults)


def answer(wire: Wire, said: Answer) -> None:
    status, document = said
    if status == 204:
        wire.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    else:
        kind = "application/json" if status < 300 else "application/problem+json"
        wire.answer(status, json.dumps(document).encode(), Content_Type=kind)


# Faults: each gets what products would do, and does it or not.


def done_and_cut(wire: Wire, act: Callable[[], Answer]) -> None:
    act()
    wire.hang_up()


def done_and_silent(wire: Wire, act: Callable[[], Answer]) -> None:
    act()
    wire.stall()


def done_and_garbage(wire: Wire, act: Callable[[], Answer]) -> None:
    act()
    wire.answer(200, b"<h1>Welcome</h1>", Content_Type="text/html")


def done_and_500(wire: Wire, act: Callable[[], Answer]) -> None:
    act()
    wire.answer(500, b"{}")


def done_and_truncated(wire: Wire, act: Callable[[], Answer]) -> None:
    act()
    wire.send(b'HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"id": ')
    wire.hang_up()


def cut(wire: Wire, act: Callable[[], Answer]) -> None:
    wire.hang_up()


def silent(wire: Wire, act: Callable[[], Answer]) -> None:
    wire.stall()


def says(status: int, body: bytes) -> Fault:
    """Return a fault that answers so, and does nothing."""
    return lambda wire, act: wire.answer(status, body)


@contextmanager
def stocked_products(stock: Stock | None = None, **variables: Any) -> Iterator[Stock]:
    """Let orders call a products service with this stock, by default without retries."""
    stock = stock or Stock()
    usual = {"products_max_tries": 1, "products_breaker_min_calls": 10_000}
    with ScriptedProducts(stock) as peer, orders_asking(peer.url, **usual | PATIENT | variables):
        yield stock
