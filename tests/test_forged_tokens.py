"""No forged or wrong token opens anything of the running services, and nothing of it shows."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from joserfc.jwk import RSAKey

from ops.tests.issuer import NAME, Issuer
from ops.tests.problem_shape import check_problem
from ops.tests.service_tokens import key_pair
from tests.forged_tokens import CANARY, Forger, Forgery, OrdersItself, ServiceForger
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.processes import Service, Stack, running_stack
from tests.raw_http import RawAnswer, exchange, request


class Write(NamedTuple):
    """A write, and the scope that it needs; a service's needs none."""

    service: str
    method: bytes
    path: bytes
    body: bytes
    scope: str = ""


WRITES = {
    "products": Write("products", b"POST", b"/products", b'{"name": "Lamp"}', "products:write"),
    "orders": Write("orders", b"POST", b"/orders", b'{"productId": 1, "quantity": 1}', "orders:write"),
    "reservations": Write(
        "products", b"PUT", b"/reservations/%s" % str(uuid4()).encode(), b'{"productId": 1, "quantity": 1}'
    ),
}
FEWEST = 60
LONG_PART = re.compile(r"[\w-]{24}")  # letters of a token that no other text has


@dataclass
class Running:
    """Both services, the receiver of their spans, and a forger for each of them."""

    stack: Stack
    collector: OtlpReceiver
    forgers: dict[str, Forger]
    refused: dict[str, list[tuple[Forgery, RawAnswer]]]  # every forgery and its answer, by write
    orders: OrdersItself


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("forged")
    issuer = Issuer("shop")
    issuer.keys.insert(0, RSAKey.generate_key(2048, auto_kid=True))
    keys = directory / "keys.json"
    keys.write_text(issuer.key_set())
    env = {"JWT_ISSUER": NAME, "JWT_KEYS": str(keys), "JWT_AUDIENCE": issuer.audience}
    env |= {"ORDERS_ANONYMOUS": "false", "LOG_LEVEL": "debug"}
    orders, shop = OrdersItself("products-service"), OrdersItself("products-service")
    orders.keys.insert(0, RSAKey.generate_key(2048, auto_kid=True))
    with otlp_receiver() as collector:
        env |= {"JAEGER_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with running_stack(directory, **env) as stack:
            know(stack.products, orders.public_key(), shop.public_key("shop-service"))
            forgers = {name: Forger(issuer, write.scope) for name, write in WRITES.items() if write.scope}
            forgers["reservations"] = ServiceForger(orders, shop, issuer)
            refused = {
                name: [(forgery, send(stack, name, forgery.authorization)) for forgery in forger.forgeries()]
                for name, forger in forgers.items()
            }
            yield Running(stack, collector, forgers, refused, orders)


def know(products: Service, *keys: dict[str, Any]) -> None:
    """Start products anew with the public keys of these services, and a pair of its own."""
    pair = key_pair("products-service")
    own = json.loads(pair["SERVICE_KEYS"])["keys"]
    products.stop()
    products.env |= pair | {"SERVICE_KEYS": json.dumps({"keys": [*own, *keys]})}
    products.start()


def send(stack: Stack, name: str, *authorizations: str) -> RawAnswer:
    """Write with these headers, byte by byte as they are: a client library would refuse some."""
    write = WRITES[name]
    headers = [b"Authorization: " + text.encode("latin-1") for text in authorizations]
    headers += [b"Content-Type: application/json", b"Content-Length: %d" % len(write.body)]
    service: Service = getattr(stack, write.service)
    return exchange(service.port, request(write.method, write.path, *headers) + write.body)


def refusal(name: str, answer: RawAnswer, forgery: Forgery) -> str | None:
    """Return what is wrong with the answer to a forgery."""
    challenge: str | None = f'Bearer realm="{WRITES[name].service}-service"'
    if forgery.error is not None:
        challenge = f'{challenge}, error="{forgery.error}"'
    if forgery.status == 403:
        challenge = f'{challenge}, scope="{WRITES[name].scope}"' if WRITES[name].scope else None
    found = answer.headers.get("www-authenticate")
    code = forgery.error or ("permission_denied" if forgery.status == 403 else "not_authenticated")
    try:
        check_problem(answer.body, answer.headers.get("content-type"), forgery.status, code)
    except AssertionError as difference:
        return f"{forgery.name}: {answer.status} {difference}"
    return None if found == challenge else f"{forgery.name}: {found}"


@pytest.mark.parametrize("name", WRITES)
def test_every_forgery_is_refused_with_its_challenge(running: Running, name: str) -> None:
    faults = [refusal(name, answer, forgery) for forgery, answer in running.refused[name]]

    assert len({forgery.name for forgery, _ in running.refused[name]}) == len(faults) >= FEWEST
    assert [fault for fault in faults if fault] == []


@pytest.mark.parametrize("path", [b"/products", b"/products/1", b"/products/1/stats"])
@pytest.mark.parametrize("credential", [b"Bearer forged", b"Bearer\tforged", b"Basic x", b""])
def test_where_a_client_needs_no_token_a_wrong_one_is_refused(running: Running, path: bytes, credential: bytes) -> None:
    port = running.stack.products.port

    assert exchange(port, request(b"GET", path, b"Authorization: " + credential)).status == 401
    assert exchange(port, request(b"GET", path)).status in (200, 404)


@pytest.mark.parametrize("name", WRITES)
def test_the_token_that_they_are_made_from_is_accepted(running: Running, name: str) -> None:
    assert send(running.stack, name, f"Bearer {running.forgers[name].valid()}").status == 201


@pytest.mark.parametrize("name", ["products", "orders"])
def test_a_service_is_not_a_client(running: Running, name: str) -> None:
    token = OrdersItself(f"{name}-service", running.orders.keys).token(scope=WRITES[name].scope)

    assert send(running.stack, name, f"Bearer {token}").status == 401


@pytest.mark.parametrize("name", WRITES)
def test_two_headers_and_a_token_longer_than_any_open_nothing(running: Running, name: str) -> None:
    stack, valid = running.stack, f"Bearer {running.forgers[name].valid()}"

    for pair in ((valid, "Bearer forged"), ("Bearer forged", valid), (valid, valid)):
        assert send(stack, name, *pair).status in (400, 401)
    assert send(stack, name, f"{valid}{'A' * 9000}").status == 431


def test_nothing_of_a_token_is_in_a_log_a_span_or_an_answer(running: Running) -> None:
    sent = [(forgery, answer) for refused in running.refused.values() for forgery, answer in refused]
    deadline = time.monotonic() + 60
    while len(running.collector.spans) < len(sent) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(running.collector.spans) >= len(sent)

    logs = b"".join(service.log_path.read_bytes() for service in (running.stack.products, running.stack.orders))
    answers = b"".join(answer.body + str(answer.headers).encode() for _, answer in sent)
    shown = logs + answers + b"".join(running.collector.bodies)

    assert b"token_refused" in logs
    assert b"Traceback" not in logs
    assert CANARY.encode() not in shown
    parts = {part for forgery, _ in sent for part in LONG_PART.findall(forgery.authorization)}
    assert [part for part in parts if part.encode() in shown] == []
