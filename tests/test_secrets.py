"""Secrets of clients and of the environment never appear in a log, a span, a metric or an answer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import requests
from joserfc.jwk import ECKey

from ops.tests.issuer import NAME, Issuer
from ops.tests.service_tokens import key_pair, service_token
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.processes import Service, Stack, free_port, manage, prepared_database, running_stack

# One word for each place, so that a failure names the leak.
PLACES = (
    *("Authorization", "Cookie", "X-Api-Key", "Referer", "User-Agent", "X-Forwarded-For", "X-Request-ID", "Host"),
    *(
        "query",
        "body",
        "fragment",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "password",
        "SERVICE_TOKEN",
    ),
)
CANARY = {
    place: f"canary{number:02}{place.lower().replace('-', '').replace('_', '')}" for number, place in enumerate(PLACES)
}
ISSUER = Issuer("shop")
TOKEN = ISSUER.token(email=f"{CANARY['query']}@shop.example")  # valid, and without a scope
CANARY |= dict(zip(("head of a token", "claims of a token", "signature of a token"), TOKEN.split("."), strict=True))
PAIRS = {service: key_pair(service) for service in ("orders-service", "products-service")}
SERVICE_TOKEN = service_token(
    "products-service", key=ECKey.import_key(json.loads(PAIRS["orders-service"]["SERVICE_KEY"]))
)
CANARY |= {f"SERVICE_KEY of {service}": json.loads(pair["SERVICE_KEY"])["d"] for service, pair in PAIRS.items()}
# Its head is that of every token of orders.
CANARY |= dict(
    zip(("head of orders", "claims of orders", "signature of orders"), SERVICE_TOKEN.split("."), strict=True)
)
HEADERS = {
    "Authorization": f"Basic {CANARY['Authorization']}",  # which no service reads
    "Cookie": f"sessionid={CANARY['Cookie']}; csrftoken={CANARY['Cookie']}",
    "X-Api-Key": CANARY["X-Api-Key"],
    "Referer": f"https://example.org/?token={CANARY['Referer']}",
    "User-Agent": CANARY["User-Agent"],
    "X-Forwarded-For": CANARY["X-Forwarded-For"],
    "X-Request-ID": f"not well-formed: {CANARY['X-Request-ID']}",
}
BODIES: tuple[str | bytes, ...] = (
    json.dumps({"productId": 1, "quantity": 1}),  # 201
    json.dumps({"productId": 1, "quantity": 1, "note": CANARY["body"]}),  # 400
    json.dumps({"productId": CANARY["body"], "quantity": CANARY["body"], CANARY["body"]: 1}),  # 400
    json.dumps({"productId": 999_999, "quantity": 1}),  # 400 after a call
    json.dumps(CANARY["body"]),  # not an object
    f'{{"{CANARY["body"]}": \ud800}}'.encode("utf-8", "surrogatepass"),  # not UTF-8
    f'{{"{CANARY["body"]}',  # not JSON
)


def provoke(service: Service) -> list[requests.Response]:
    """Send the canaries in every place, and return the answers, with every kind of status."""
    query = {"token": CANARY["query"], "cursor": CANARY["query"], "search": CANARY["query"]}
    answers = []
    with requests.Session() as session:
        session.headers.update(HEADERS)
        # Without the credential, which orders refuses, a body is read.
        for path, credential in product(("/orders", "/products"), ({}, {"Authorization": None})):
            for body in BODIES:
                for content_type, params in product(("application/json", "text/plain"), (query, None)):
                    headers = {"Content-Type": content_type, **credential}
                    url = f"{service.url}{path}"
                    answers.append(session.post(url, params=params, data=body, headers=headers, timeout=30))
        paths = ("/orders", "/orders/1", "/products", "/products/1", "/products/2", "/admin/", "/nothing")
        for path, params in product(paths, (query, None)):
            answers.append(session.get(f"{service.url}{path}", params=params, timeout=30, allow_redirects=False))
        for token in (CANARY["Authorization"], CANARY["SERVICE_TOKEN"], SERVICE_TOKEN, f"{SERVICE_TOKEN}x"):
            for body in BODIES:  # known tokens and unknown ones
                headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                url = f"{service.url}/reservations/{uuid4()}"
                answers.append(session.put(url, data=body, headers=headers, timeout=30))
        access_tokens = (CANARY["Authorization"], TOKEN, f"{TOKEN}x")  # a valid one between two that are refused
        for path, token, content in product(("/orders", "/products"), access_tokens, BODIES):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            answers.append(session.post(f"{service.url}{path}", headers=headers, data=content, timeout=30))
        answers.append(session.put(f"{service.url}/products/1", data=BODIES[1], timeout=30))
        answers.append(session.get(f"{service.url}/orders", headers={"Host": CANARY["Host"]}, timeout=30))
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            answers.append(session.get(f"{service.url}{path}", params=query, timeout=30))
    return answers


def leaks(stack: Stack, collector: OtlpReceiver, answers: list[requests.Response]) -> dict[str, list[str]]:
    """Return the canaries found in each place."""
    shown = {
        "logs": b"".join(service.log_path.read_bytes() for service in (stack.orders, stack.products)),
        "spans": b"".join(collector.bodies),
        "answers": b"".join(answer.content + _headers(answer) for answer in answers),
    }
    found = {where: [place for place in CANARY if CANARY[place].encode() in text] for where, text in shown.items()}
    return {where: places for where, places in found.items() if places}


def _headers(answer: requests.Response) -> bytes:
    # A redirect to the login page contains the URL of the client.
    return str({name: value for name, value in answer.headers.items() if name != "Location"}).encode()


@contextmanager
def password_of_postgres() -> Iterator[None]:
    """On PostgreSQL, let the services log in with a canary as the password."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        yield
        return
    role = f"argos_canary_{os.getpid()}"
    for project in ("products_project", "orders_project"):
        prepared_database(project)  # first, so that the role does not own them
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{CANARY['password']}'")
        os.environ["TEST_DATABASE_URL"] = (
            urlsplit(server)
            ._replace(netloc=f"{role}:{CANARY['password']}@{server.split('@')[-1].split('/')[0]}")
            .geturl()
        )
        try:
            yield
        finally:
            os.environ["TEST_DATABASE_URL"] = server
            connection.execute(f"DROP ROLE {role}")


def identify(stack: Stack) -> None:
    """Give each service its key, and products the shared token too; orders shows its own, for a tracked product."""
    keys = [key for pair in PAIRS.values() for key in json.loads(pair["SERVICE_KEYS"])["keys"]]
    for service in (stack.products, stack.orders):
        service.stop()
        service.env |= PAIRS[service.project.replace("_project", "-service")]
        service.env["SERVICE_KEYS"] = json.dumps({"keys": keys})
    stack.products.env["SERVICE_TOKEN"] = CANARY["SERVICE_TOKEN"]
    assert manage("products_project", "set_stock", "1", "1000", env=stack.products.env).returncode == 0
    for service in (stack.products, stack.orders):
        service.start()


def test_no_secret_shows_in_telemetry_or_answers(tmp_path: Path) -> None:
    env = {"SECRET_KEY": CANARY["SECRET_KEY"] * 3, "LOG_LEVEL": "debug", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    env["SECRET_KEY_FALLBACKS"] = CANARY["SECRET_KEY_FALLBACKS"]
    keys = tmp_path / "keys.json"
    keys.write_text(ISSUER.key_set())
    env |= {"JWT_ISSUER": NAME, "JWT_KEYS": str(keys), "JWT_AUDIENCE": ISSUER.audience}
    with (
        password_of_postgres(),
        otlp_receiver() as collector,
        running_stack(tmp_path, JAEGER_ENDPOINT=collector.url, **env) as stack,
    ):
        identify(stack)
        answers = provoke(stack.orders) + provoke(stack.products)
        stack.products.stop()
        answers += provoke(stack.orders)  # products is down: 500
        assert manage("orders_project", "migrate", "orders", "zero", env=stack.orders.env).returncode == 0
        stack.products.start()
        answers += provoke(stack.orders)  # the table is gone: an unhandled 500, with its traceback in the log
        for service in (stack.orders, stack.products):
            service.stop()

        assert {answer.status_code for answer in answers} >= {200, 201, 302, 400, 401, 403, 404, 415, 500}
        assert "internal_error" in {answer.json()["code"] for answer in answers if answer.status_code == 500}
        assert "Traceback" in stack.orders.log_path.read_text()
        assert collector.spans
        assert {"shared", "orders-service"} <= {line.get("caller") for line in stack.products.log_lines()}
        assert leaks(stack, collector, answers) == {}


def test_no_password_shows_while_the_database_cannot_be_reached(tmp_path: Path) -> None:
    url = f"postgres://argos:{CANARY['password']}@127.0.0.1:{free_port()}/argos"
    env = {"DATABASE_URL": url, "LOG_LEVEL": "debug", "DATABASE_CONNECT_TIMEOUT": "1", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with otlp_receiver() as collector:
        env["JAEGER_ENDPOINT"] = collector.url
        orders, products = (
            Service(project, tmp_path, env).start(ready_within=0) for project in ("orders_project", "products_project")
        )
        try:
            for service in (orders, products):
                service.wait_until_healthy()
            answers = [
                requests.get(f"{products.url}/products/1", timeout=30),
                requests.get(f"{products.url}/readyz", timeout=30),
                requests.get(f"{orders.url}/readyz", timeout=30),
                requests.get(f"{orders.url}/metrics", timeout=30),
                requests.get(f"{orders.url}/orders", headers=HEADERS, timeout=30),
            ]
            failed = manage("orders_project", "migrate", env=env)
            assert [answer.status_code for answer in answers[:3]] == [503, 503, 503]
            assert failed.returncode != 0
            assert CANARY["password"] not in failed.stdout + failed.stderr
            for service in (orders, products):
                service.stop()
            assert leaks(Stack(products, orders), collector, answers) == {}
        finally:
            for service in (orders, products):
                service.kill()
