"""Real requests meet each status that the OpenAPI documents name, for each operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from events.cloudevents import CONTENT_TYPE
from ops.tests.issuer import NAME, Issuer
from ops.tests.service_tokens import service_token
from tests.processes import Service, Stack, database, manage, running_stack, stop_all
from tests.raw_http import connect, exchange, read_answer, request
from tests.staff import staff_session

JSON = "application/json"
ORDER = {"productId": 1, "quantity": 2}
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/orders-service",
    "type": "argos.order.confirmed.v1",
    "data": ORDER | {"orderId": 1, "confirmedAt": "2026-11-28T10:00:00Z"},
}
HELD, CANCELLED, ABSENT = uuid4(), uuid4(), uuid4()
KEY = {"Idempotency-Key": str(uuid4())}


@dataclass(frozen=True)
class Case:
    """One request of an operation; `role` names its credentials."""

    path: str
    role: str = "anonymous"
    body: Any = None
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


# A request of each operation that succeeds.
SOUND = {
    "GET /products": Case("/products"),
    "POST /products": Case("/products", "staff", {"name": "Lamp"}),
    "GET /products/{product_id}": Case("/products/1"),
    "PUT /products/{product_id}": Case("/products/1", "staff", {"name": "Lamp"}),
    "PATCH /products/{product_id}": Case("/products/1", "staff", {"name": "Lamp"}),
    "DELETE /products/{product_id}": Case("/products/2", "staff"),
    "GET /products/{product_id}/stats": Case("/products/1/stats"),
    "POST /events": Case("/events", "service", EVENT, CONTENT_TYPE),
    "GET /reservations/{reservation_id}": Case(f"/reservations/{HELD}", "service"),
    "PUT /reservations/{reservation_id}": Case(f"/reservations/{HELD}", "service", ORDER),
    "DELETE /reservations/{reservation_id}": Case(f"/reservations/{CANCELLED}", "service"),
    "GET /orders": Case("/orders", "staff"),
    "POST /orders": Case("/orders", body=ORDER, headers=KEY),
    "GET /orders/{order_id}": Case("/orders/1", "staff"),
}
# Requests for statuses that not every operation of their kind has.
OWN = {
    ("PUT /reservations/{reservation_id}", 404): Case(f"/reservations/{ABSENT}", "service", ORDER | {"productId": 9}),
    ("PUT /reservations/{reservation_id}", 409): Case(f"/reservations/{CANCELLED}", "service", ORDER),
    ("PUT /reservations/{reservation_id}", 422): Case(f"/reservations/{HELD}", "service", ORDER | {"quantity": 3}),
    ("DELETE /reservations/{reservation_id}", 404): Case("/reservations/1", "service"),  # the path of none
    ("DELETE /products/{product_id}", 412): Case("/products/1", "staff", headers={"If-Match": '"other"'}),
    ("POST /orders", 403): Case("/orders", "staff without CSRF token", ORDER),
    ("POST /orders", 409): Case("/orders", body=ORDER | {"quantity": 1000}),
    ("POST /orders", 422): Case("/orders", body=ORDER | {"quantity": 3}, headers=KEY),
}


def case_of(operation: str, status: int) -> Case:
    """Return a request of the operation that gets this status."""
    sound = SOUND[operation]
    if (operation, status) in OWN:
        return OWN[operation, status]
    absent = sound.path.replace("/1", "/9").replace("/2", "/9").replace(str(HELD), str(ABSENT))
    changes: dict[int, dict[str, Any]] = {
        304: {"headers": {"If-None-Match": "*"}},
        400: {"path": f"{sound.path}?unknown=1"},
        401: {"role": "forger"},
        403: {"role": "another service" if sound.role == "service" else "client without scopes"},
        404: {"path": absent},
        406: {"headers": {"Accept": "image/png"}},
        412: {"headers": {"If-Match": '"other"'}},
        415: {"media_type": "text/plain"},
    }
    return replace(sound, **changes.get(status, {}))


class Provoker:
    """Three instances of one service: a sound one, one with an empty database, and one without a database."""

    def __init__(self, sound: Service, directory: Path, stack: ExitStack, issuer: Issuer) -> None:
        self.sound = sound
        empty = stack.enter_context(database(directory, f"empty_{sound.project}"))
        self._empty, self._lost = (
            Service(sound.project, directory, sound.env | {"DATABASE_URL": url})
            for url in (empty, f"sqlite:///{directory}/missing/database.sqlite3")
        )
        stack.callback(stop_all, self._empty, self._lost)
        for service in (self._empty, self._lost):
            service.start(ready_within=0)
        staff, without_token = staff_session(sound), requests.Session()
        without_token.cookies.update(staff.cookies)
        self._clients = {
            "anonymous": requests.Session(),
            "forger": bearer("forged"),
            "another service": bearer(service_token("products-service", "shop-service")),
            "client without scopes": bearer(issuer.token()),
            "service": bearer(service_token("products-service")),
            "staff": staff,
            "staff without CSRF token": without_token,
        }
        for instance in (self._empty, self._lost):
            instance.wait_until_healthy()

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = requests.get(f"{self.sound.url}/openapi.json", timeout=30).json()
        return document

    def answer(self, operation: str, status: int) -> tuple[int, Any]:
        """Return status and problem of the answer to a request that is to get this status."""
        case, method = case_of(operation, status), method_of(operation)
        if status == 413:
            raw = exchange(self.sound.port, head(case, method, length=10_000_000))
            return raw.status, raw.json()
        service = {500: self._empty, 503: self._lost}.get(status, self.sound)
        answer = self._clients[case.role].request(
            method,
            service.url + case.path,
            data=None if case.body is None else json.dumps(case.body),
            headers=({} if case.body is None else {"Content-Type": case.media_type}) | case.headers,
            timeout=30,
        )
        return answer.status_code, answer.json() if answer.status_code >= 400 else None


def bearer(token: str) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def method_of(operation: str) -> str:
    return operation.partition(" ")[0]


def head(case: Case, method: str, *, length: int) -> bytes:
    """Return the head of a request whose body does not come."""
    media_type = f"Content-Type: {case.media_type}".encode()
    return request(method.encode(), case.path.encode(), media_type, b"Content-Length: %d" % length)


@pytest.fixture(scope="module")
def provokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Provoker]]:
    directory = tmp_path_factory.mktemp("statuses")
    with ExitStack() as stack:
        issuer, keys = Issuer("shop"), directory / "keys.json"
        keys.write_text(issuer.key_set())
        env = {"JWT_ISSUER": NAME, "JWT_KEYS": str(keys), "JWT_AUDIENCE": issuer.audience}
        running: Stack = stack.enter_context(running_stack(directory, **env))
        manage("products_project", "set_stock", "1", "100", env=running.products.env).check_returncode()
        yield {
            "products": Provoker(running.products, directory, stack, issuer),
            "orders": Provoker(running.orders, directory, stack, issuer),
        }


@pytest.mark.parametrize("service", ["products", "orders"])
def test_each_status_of_each_operation_is_met(provokers: dict[str, Provoker], service: str) -> None:
    provoker = provokers[service]
    documented = {
        (int(status), f"{method.upper()} {path}"): response
        for path, operations in provoker.document()["paths"].items()
        for method, operation in operations.items()
        for status, response in operation["responses"].items()
    }
    met, unknown_codes = set(), []
    with ExitStack() as open_connections:
        slow = {}
        for status, operation in documented:
            if status == 408:  # the service waits for these bodies meanwhile
                slow[operation] = open_connections.enter_context(connect(provoker.sound.port))
                slow[operation].sendall(head(SOUND[operation], method_of(operation), length=1000))
        for status, operation in sorted(documented, key=lambda pair: (pair[0] != 201, pair)):  # first what others read
            if status != 408:
                found, problem = provoker.answer(operation, status)
                met.add((found, operation))
                if problem and found == status and problem["code"] not in codes(documented[status, operation]):
                    unknown_codes.append((operation, status, problem["code"]))
        met |= {(read_answer(connection).status, operation) for operation, connection in slow.items()}

    assert met == set(documented)
    assert unknown_codes == []


def codes(response: dict[str, Any]) -> list[str]:
    _, own = response["content"]["application/problem+json"]["schema"]["allOf"]
    found: list[str] = own["properties"]["code"]["enum"]
    return found
