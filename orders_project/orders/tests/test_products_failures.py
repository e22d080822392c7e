"""For every failure of products, an order gets its documented answer in time, with the documented retries."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from django.db import connections
from rest_framework.test import APIClient

from ops.telemetry import metrics
from ops.tests.tolerance import UNBOUNDED
from orders_project.orders.models import Order
from orders_project.orders.products_client import products_client
from orders_project.orders.tests import scripted_products as peers
from orders_project.orders.tests.scripted_products import Nobody, ScriptedProducts, body, orders_asking, status

IMPATIENT = {"products_connect_timeout": 0.5, "products_try_timeout": 0.5, "products_deadline": 5.0}


@dataclass(frozen=True)
class Case:
    """One failure of products and its consequences."""

    name: str
    peer: Callable[[], AbstractContextManager[ScriptedProducts | Nobody]]
    outcome: str
    tries: int
    reaches_the_peer: bool = True
    config: Mapping[str, Any] = field(default_factory=dict)


def broken(name: str, script: peers.Script, **kwargs: Any) -> Case:
    """The exchange fails, so a retry may succeed."""
    return Case(name, partial(ScriptedProducts, script), "connection_error", 2, **kwargs)


def slow(name: str, script: peers.Script, **kwargs: Any) -> Case:
    return Case(name, partial(ScriptedProducts, script), "timeout", 2, **{"config": IMPATIENT} | kwargs)


def failing(name: str, script: peers.Script) -> Case:
    return Case(name, partial(ScriptedProducts, script), "server_error", 2)


def wrong(name: str, script: peers.Script, **kwargs: Any) -> Case:
    """The answer is complete but breaks the contract, so a retry would not help."""
    return Case(name, partial(ScriptedProducts, script), "invalid_answer", 1, **kwargs)


CASES = [
    Case("refused", peers.nothing_listens, "connection_error", 2, reaches_the_peer=False),
    Case("no such name", peers.no_such_name, "connection_error", 2, reaches_the_peer=False),
    Case("black hole", peers.black_hole, "timeout", 2, reaches_the_peer=False, config=IMPATIENT),
    Case("black hole, default timeouts", peers.black_hole, "timeout", 2, reaches_the_peer=False),
    broken("reset on accept", peers.reset_on_accept),
    broken("reset after the request", peers.reset),
    broken("reset in the body", peers.reset_in_the_body),
    broken("hangs up without an answer", peers.hang_up),
    broken("ends before its Content-Length", peers.end_before_content_length),
    broken("chunk of a negative size", peers.chunk_of_negative_size),
    broken("endless chunk of size -1", peers.endless_chunk_of_size_minus_one),
    broken("flood of 100 Continue", peers.flood_continue),
    broken("not HTTP", peers.not_http),
    slow("stalls before the status", peers.stall_before_the_status),
    slow("stalls before the status, default timeouts", peers.stall_before_the_status, config={}),
    slow("drips headers", peers.drip_headers),
    slow("stalls in the body", peers.stall_in_the_body),
    slow("drips the body", peers.drip_body),
    slow("drips the body, default timeouts", peers.drip_body, config={}),
    slow("drips chunks", peers.drip_chunks),
    slow("drips 100 Continue", peers.drip_continue),
    slow("103 and nothing more", peers.hint_and_stall),
    failing("500", status(500)),
    failing("500 with a product", status(500, b'{"id": 1, "name": "Quantum Laptop"}')),
    failing("502", status(502, b"<h1>Bad Gateway</h1>", Content_Type="text/html")),
    failing("503, come back in an hour", status(503, Retry_After="3600")),
    failing("504", status(504)),
    wrong("HTML", body(b"<!doctype html><h1>Welcome</h1>", "text/html")),
    wrong("empty body", body(b"")),
    wrong("list", body(b"[]")),
    wrong("null", body(b"null")),
    wrong("number", body(b"1")),
    wrong("string", body(b'"Quantum Laptop"')),
    wrong("no name", body(b'{"id": 1}')),
    wrong("no id", body(b'{"name": "Quantum Laptop"}')),
    wrong("id is a string", body(b'{"id": "1", "name": "Quantum Laptop"}')),
    wrong("id is true", body(b'{"id": true, "name": "Quantum Laptop"}')),
    wrong("id is 1.0", body(b'{"id": 1.0, "name": "Quantum Laptop"}')),
    wrong("id has 5,000 digits", body(b'{"id": ' + b"1" * 5000 + b', "name": "Quantum Laptop"}')),
    wrong("name is null", body(b'{"id": 1, "name": null}')),
    wrong("name holds a NUL", body(rb'{"id": 1, "name": "Quantum\u0000Laptop"}')),
    wrong("name holds half a surrogate pair", body(rb'{"id": 1, "name": "Quantum\ud83d"}')),
    wrong("nested 60,000 deep", body(b"[" * 60_000)),
    wrong("not UTF-8", body(b'{"id": 1, "name": "\xff\xfe\xfd"}')),
    wrong("truncated JSON", body(b'{"id": 1, "name": "Quantum')),
    wrong("Content-Length too short", peers.content_length_too_short),
    wrong("another product", peers.another_product),
    wrong("redirect to itself", status(302, Location="/products/1")),
    wrong("redirect to nonsense", status(302, Location="http://[")),
    wrong("redirect that is not UTF-8", status(302, Location="/\xff")),
    wrong("redirect with an endless body", peers.redirect_with_an_endless_body),
    wrong("204", lambda wire: wire.send(b"HTTP/1.1 204 No Content\r\n\r\n")),
    wrong("304", lambda wire: wire.send(b"HTTP/1.1 304 Not Modified\r\n\r\n")),
    wrong("400", status(400)),
    wrong("401", status(401, WWW_Authenticate="Basic")),
    wrong("403", status(403)),
    wrong("404 of a proxy", status(404, b"<h1>no route</h1>", Content_Type="text/html")),
    wrong("404 without a code", status(404, b"{}", Content_Type="application/problem+json")),
    wrong("404 that is not an object", status(404, b"[]", Content_Type="application/problem+json")),
    wrong("404 of another API", status(404, b'{"code": "not_found"}', Content_Type="application/json")),
    wrong("429", status(429, Retry_After="3600")),
    wrong("10 MB", peers.ten_megabytes),
    wrong("10 MB without Content-Length", peers.ten_megabytes_until_the_end),
    wrong("10 MB in chunks", peers.ten_megabytes_in_chunks),
    wrong("gzip bomb", peers.gzip_bomb),
]


def place_order(product_id: int = 1) -> Any:
    client = APIClient(raise_request_exception=False)
    return client.post("/orders", {"productId": product_id, "quantity": 2}, format="json")


def tries_by_outcome() -> Counter[str]:
    (family,) = metrics.http_client_requests_total.collect()
    return Counter({sample.labels["outcome"]: int(sample.value) for sample in family.samples})


def failures_in_the_breaker() -> int:
    return sum(bucket.failures for bucket in products_client()._client._breaker._buckets)


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_order_is_refused_in_time_when_products_fails(case: Case) -> None:
    with case.peer() as peer, orders_asking(peer.url, **case.config):
        before = tries_by_outcome()
        started = time.monotonic()

        answer = place_order()

        took = time.monotonic() - started
        moved = tries_by_outcome() - before
        assert (answer.status_code, answer.json()["code"]) == (500, "products_unavailable")
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["Retry-After"] == "1"
        assert moved == {case.outcome: case.tries}
        assert failures_in_the_breaker() == case.tries
        assert peer.tries == (case.tries if case.reaches_the_peer else 0)
        assert took < UNBOUNDED
        assert not Order.objects.exists()


@pytest.mark.django_db
def test_the_404_of_products_itself_is_an_answer_and_no_failure() -> None:
    with ScriptedProducts(peers.no_such_product) as peer, orders_asking(peer.url):
        before = tries_by_outcome()

        answer = place_order()

        assert (answer.status_code, answer.json()["code"]) == (400, "product_does_not_exist")
        assert "Retry-After" not in answer
        assert tries_by_outcome() - before == {"success": 1}
        assert (peer.tries, failures_in_the_breaker()) == (1, 0)
        assert not Order.objects.exists()


@pytest.mark.django_db
def test_a_second_try_that_succeeds_places_the_order() -> None:
    with ScriptedProducts(status(503)) as peer, orders_asking(peer.url):
        before = tries_by_outcome()

        def recover() -> None:
            if peer.tries == 2:
                peer.script = peers.product

        peer.while_serving = recover
        answer = place_order()

        assert answer.status_code == 201
        assert tries_by_outcome() - before == {"server_error": 1, "success": 1}
        assert Order.objects.count() == 1


@pytest.mark.django_db
def test_a_connection_that_products_closed_meanwhile_costs_no_try() -> None:
    with ScriptedProducts(peers.product_then_hang_up) as peer, orders_asking(peer.url):
        assert place_order().status_code == 201
        time.sleep(0.2)  # until the end of the connection has arrived

        assert place_order().status_code == 201
        assert (peer.tries, peer.connections) == (2, 2)


@pytest.mark.django_db
def test_a_connection_that_products_closes_as_it_is_reused_costs_one_retry() -> None:
    with ScriptedProducts(peers.hang_up_when_reused) as peer, orders_asking(peer.url):
        assert place_order().status_code == 201
        before = tries_by_outcome()

        assert place_order().status_code == 201
        assert tries_by_outcome() - before == {"connection_error": 1, "success": 1}
        assert (peer.tries, peer.connections) == (3, 2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "script",
    [peers.content_length_too_short, peers.ten_megabytes, body(b"[]")],
    ids=["rest unread", "10 MB", "no product"],
)
def test_a_connection_with_a_wrong_answer_is_not_used_again(script: peers.Script) -> None:
    with ScriptedProducts(script) as peer, orders_asking(peer.url):
        assert place_order().status_code == 500
        peer.script = peers.product

        assert place_order().status_code == 201
        assert peer.connections == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("script", [peers.product, peers.no_such_product, status(503)], ids=["200", "404", "503"])
def test_no_transaction_is_open_while_products_is_asked(script: peers.Script) -> None:
    database = connections["default"]  # of this thread, which is the one that serves the order
    in_transaction = []
    with ScriptedProducts(script) as peer, orders_asking(peer.url):
        peer.while_serving = lambda: in_transaction.append(database.in_atomic_block)

        place_order()

        assert in_transaction == [False] * peer.tries
        assert peer.tries > 0
