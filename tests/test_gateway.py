"""Real nginx before real services: the open paths, the limits, and the answers of the gateway itself."""

from __future__ import annotations

import gzip
import http.client
import json
import math
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.make_routes import ROUTES, routes
from ops.tests.problem_shape import check_problem
from tests.gateway import Gateway, gateway, skip_without_nginx, start
from tests.name_server import name_server
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.processes import ROOT, Stack, free_port, running_stack
from tests.raw_http import RawAnswer, chunks, post, post_chunked, read_answer, request

skip_without_nginx()

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"traceparent: 00-{TRACE}-b7ad6b7169203331-01"
ORDER = {"productId": 1, "quantity": 2}


@pytest.fixture(scope="module")
def collector() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def stack(collector: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    env = {"JAEGER_ENDPOINT": collector.url, "TRUSTED_PROXIES": "127.0.0.1", "TRUST_FORWARDED_PROTO": "true"}
    with running_stack(tmp_path_factory.mktemp("services"), **env) as running:
        yield running


@pytest.fixture(scope="module")
def door(stack: Stack) -> Iterator[Gateway]:
    with gateway(**addresses(stack)) as running:
        yield running


def addresses(stack: Stack) -> dict[str, str]:
    return {
        "GATEWAY_PRODUCTS": f"127.0.0.1:{stack.products.port}",
        "GATEWAY_ORDERS": f"127.0.0.1:{stack.orders.port}",
    }


def assert_problem(answer: RawAnswer, status: int, code: str) -> None:
    """Check a problem document of the gateway itself: the shape is that of the services."""
    assert answer.status == status, answer.body
    document = check_problem(answer.body, answer.headers["Content-Type"], status, code)
    assert answer.headers.get_all("X-Request-ID") == [document["requestId"]]


def test_the_open_paths_are_those_of_the_openapi_documents(stack: Stack) -> None:
    documents = {
        name: requests.get(f"{service.url}/openapi.json", timeout=30).json()
        for name, service in (("products", stack.products), ("orders", stack.orders))
    }

    assert ROUTES.read_text() == routes(documents)


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_a_client_finds_a_product_and_places_an_order(door: Gateway, prefix: str) -> None:
    product = door.ask("GET", f"{prefix}/products/1")
    found = door.ask("GET", f"{prefix}/products?search=quantum")
    placed = door.ask("POST", f"{prefix}/orders", body=ORDER)

    assert product.json() == {"id": 1, "name": "Quantum Laptop"}
    assert [item["id"] for item in found.json()["results"]] == [1]
    assert placed.status == 201
    assert placed.json()["status"] == "confirmed"


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/readyz", "/healthz", "/admin", "/admin/", "/admin/login/", "/events"),
        "/reservations/0190d0ea-0000-7000-8000-000000000000",
        *("/", "/docs", "/openapi.json", "/products/", "/products/1/", "/orders/1/x", "/_problem", "/products.json"),
        *(
            "/api/v1/metrics",
            "/api/v1/api/v1/products",
            "/api/v1",
            "/products-service/metrics",
            "/orders-service/admin/",
        ),
        *(
            "/products/../metrics",
            "/products/%2e%2e/metrics",
            "/products/1/..%2f..%2fmetrics",
            "//metrics",
            "/%6detrics",
        ),
        *("/static/../metrics", "/static/%2e%2e/admin/", "/products/..;/metrics", "/METRICS"),
    ],
)
def test_every_other_path_is_closed(door: Gateway, path: str) -> None:
    answer = door.ask("GET", path)

    assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize("path", ["/metrics/../products/1", "/products//1", "/products%0a", "/static/../products/1"])
def test_a_path_that_becomes_open_only_when_it_is_simplified_reaches_no_view(door: Gateway, path: str) -> None:
    answer = door.ask("GET", path)

    assert answer.status == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("service", ["products-service", "orders-service"])
def test_each_contract_and_its_page_are_open_under_the_name_of_the_service(door: Gateway, service: str) -> None:
    page = door.ask("GET", f"/{service}/docs", "Accept: text/html").body.decode()
    contract = door.ask("GET", f"/{service}/openapi.json")

    assert contract.json()["openapi"] == "3.1.0"
    assert 'src="docs?script="' in page
    assert 'url: "openapi.json"' in door.ask("GET", f"/{service}/docs?script=").body.decode()
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(files) >= 2
    for file in files:
        assert door.ask("GET", file).status == 200


def test_a_request_keeps_its_id_and_its_trace_up_to_the_services(
    door: Gateway, stack: Stack, collector: OtlpReceiver
) -> None:
    answer = door.ask("POST", "/orders", "X-Request-ID: the-buyer-1", TRACEPARENT, body=ORDER)
    line = door.log_line("the-buyer-1")
    (of_orders,) = [one for one in stack.orders.log_lines() if one.get("request_id") == "the-buyer-1"]
    spans = collector.wait_for(TRACE, "POST /orders", "GET /products/<int:product_id>")

    assert answer.headers.get_all("X-Request-ID") == ["the-buyer-1"]
    assert of_orders["trace_id"] == line["trace_id"] == TRACE
    assert {span.service for span in spans} == {"products-service", "orders-service"}
    assert line.pop("timestamp")
    assert line.pop("client") == of_orders["client"]
    assert min(line.pop("duration_ms"), line.pop("bytes")) >= 0
    assert line == {
        "event": "gateway.answered",
        "service": "gateway",
        "request_id": "the-buyer-1",
        "trace_id": TRACE,
        "method": "POST",
        "path": "/orders",
        "status": 201,
        "peer": f"127.0.0.1:{stack.orders.port}",
        "peer_status": "201",
        "limited": "PASSED",
        "limited_connections": "PASSED",
    }


def test_the_services_know_the_client_by_the_gateway_alone(
    door: Gateway, stack: Stack, collector: OtlpReceiver
) -> None:
    forged = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 203.0.113.8", "Forwarded: for=203.0.113.9")
    trace = TRACE.replace("0", "1")
    traceparent = f"traceparent: 00-{trace}-b7ad6b7169203331-01"

    door.ask("POST", "/orders", "X-Request-ID: the-forger", traceparent, *forged, body=ORDER, client="127.0.9.99")

    (of_orders,) = [one for one in stack.orders.log_lines() if one.get("request_id") == "the-forger"]
    spans = {span.name: span for span in collector.wait_for(trace, "POST /orders", "GET /products/<int:product_id>")}
    assert of_orders["client"] == spans["POST /orders"].attributes["client.address"] == "127.0.9.99"
    assert spans["GET /products/<int:product_id>"].attributes["client.address"] == "127.0.0.1"


def test_the_access_log_holds_no_query_string_and_no_credential(door: Gateway) -> None:
    door.ask("GET", "/products?search=canary", "X-Request-ID: no-canary", "Authorization: Bearer canary")

    assert door.log_line("no-canary")["path"] == "/products"
    assert "canary" not in door.log_path.read_text().replace("no-canary", "")


def test_an_id_that_is_not_well_formed_is_replaced(door: Gateway) -> None:
    refused = door.ask("GET", "/nothing", 'X-Request-ID: "},{"', "traceparent: 00-x")
    passed = door.ask("GET", "/products/1", 'X-Request-ID: "},{"')

    assert_problem(refused, 404, "not_found")
    assert refused.json()["traceId"] is None
    assert re.fullmatch("[0-9a-f]{32}", refused.headers["X-Request-ID"])
    assert re.fullmatch("[0-9a-f]{32}", passed.headers["X-Request-ID"])


def test_a_problem_of_the_gateway_names_the_trace(door: Gateway) -> None:
    assert door.ask("GET", "/nothing", TRACEPARENT).json()["traceId"] == TRACE


def test_a_problem_of_a_service_passes_as_it_is(door: Gateway) -> None:
    answer = door.ask("POST", "/orders", body={"productId": 1})

    assert answer.status == 400
    assert answer.json()["errors"][0]["field"] == "quantity"


def test_a_service_that_refuses_connections_is_a_502(stack: Stack) -> None:
    with gateway(**addresses(stack) | {"GATEWAY_ORDERS": f"127.0.0.1:{free_port()}"}) as door:
        answers = [
            door.ask("POST", "/orders", body=ORDER, port=door.ports[f"GATEWAY_{each}PORT"]) for each in ("", "ORDERS_")
        ]

    for answer in answers:
        assert_problem(answer, 502, "service_unreachable")
        assert answer.headers["Retry-After"] == "1"


def test_a_refused_request_leaves_no_query_string_in_any_log(stack: Stack) -> None:
    bounds = {"GATEWAY_ORDERS": f"127.0.0.1:{free_port()}", "GATEWAY_RATE": "1", "GATEWAY_BURST": "1"}
    with gateway(**addresses(stack) | bounds) as door:
        with door.connect() as connection:  # pipelined, so that the last ones arrive within a second of the first
            connection.sendall(b"GET /orders?canary HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5)
            connection.sendall(request(b"GET", b"/orders?canary"))
            answers = b"".join(iter(lambda: connection.recv(65536), b""))
        door.ask("GET", "/canaries?canary", "X-Request-ID: the-last")
        door.log_line("the-last")

        assert {b"502", b"429"} == set(re.findall(rb"HTTP/1.1 (\d+)", answers))
        assert "?canary" not in door.log_path.read_text()


def test_a_service_that_does_not_answer_is_a_504(stack: Stack) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        gateway(
            **addresses(stack) | {"GATEWAY_ORDERS": f"127.0.0.1:{silent.getsockname()[1]}", "GATEWAY_TIMEOUT": "200ms"}
        ) as door,
    ):
        answer = door.ask("POST", "/orders", body=ORDER)

    assert_problem(answer, 504, "service_timeout")
    assert "Retry-After" not in answer.headers


def test_the_gateway_says_itself_that_it_is_alive_and_how_many_connections_it_has(door: Gateway) -> None:
    with door.connect():
        text = requests.get(f"{door.status_url}/metrics", timeout=30).text

    assert re.search(r'^gateway_connections\{state="active"\} [1-9]', text, re.MULTILINE)
    assert re.search(r"^gateway_connections_total [1-9]", text, re.MULTILINE)


def test_the_gateway_counts_every_answer_by_its_status_and_by_who_gave_it(stack: Stack) -> None:
    bounds = {"GATEWAY_ORDERS": f"127.0.0.1:{free_port()}", "GATEWAY_RATE": "1", "GATEWAY_BURST": "1"}
    with gateway(**addresses(stack) | bounds) as door:
        nothing_yet = door.answers()
        with door.connect() as connection:  # pipelined, so that the last ones arrive within a second of the first
            connection.sendall(b"GET /products/1 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5)
            connection.sendall(request(b"GET", b"/products/1"))
            statuses = re.findall(rb"HTTP/1.1 (\d+)", b"".join(iter(lambda: connection.recv(65536), b"")))
        for path in ("/products/999", "/orders", "/metrics"):
            door.ask("GET", path)
        door.exchange(b"no request\r\n\r\n")
        wanted = {
            ("200", "products"): statuses.count(b"200"),
            ("429", "gateway"): statuses.count(b"429"),
            ("404", "products"): 1,
            ("502", "gateway"): 1,
            ("404", "gateway"): 1,
            ("400", "gateway"): 1,
        }
        door.wait_for_answers(wanted)
        own = requests.get(f"{door.status_url}/requests.txt", timeout=30)

    assert nothing_yet == {}
    assert min(wanted.values()) > 0
    assert own.status_code == 404  # only /metrics shows it


def test_a_client_that_leaves_amid_its_body_is_a_499_of_the_gateway(stack: Stack) -> None:
    with gateway(**addresses(stack)) as door:
        with door.connect() as connection:
            connection.sendall(post(b'{"productId": 1', b"X-Request-ID: left", length=100))
        door.exchange(post_chunked(b"no length\r\n"))
        door.wait_for_answers({("499", "gateway"): 1, ("400", "gateway"): 1})

        line = door.log_line("left")

    assert (line["status"], line["peer"]) == (499, "")


def test_a_gateway_that_cannot_count_ends(stack: Stack) -> None:
    with gateway(**addresses(stack)) as door:
        assert door.process is not None
        (shell,) = children(door.process.pid, "start")
        (counting,) = children(shell, "count")
        os.kill(counting, signal.SIGKILL)

        assert door.process.wait(60) == 0


def test_counters_that_cannot_be_written_are_kept_until_they_can(tmp_path: Path) -> None:
    file, in_its_way = tmp_path / "requests.txt", tmp_path / "requests.txt.new"
    in_its_way.mkdir()
    with subprocess.Popen(
        ["sh", ROOT / "gateway/count", file], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as counting:
        assert counting.stdin is not None
        assert counting.stderr is not None
        counting.stdin.write("429 gateway\nscraped\n")
        counting.stdin.flush()
        complaint = counting.stderr.readline()
        in_its_way.rmdir()
        counting.stdin.write("429 gateway\nscraped\n")
        counting.stdin.close()
        assert counting.wait(60) == 0

    assert "requests.txt.new" in complaint
    assert file.read_text() == 'gateway_requests_total{status="429",answered_by="gateway"} 2\n'


def children(parent: int, name: str) -> list[int]:
    """Return the children of a process that run the script of this name."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in found if f"gateway/{name}" in Path(f"/proc/{pid}/cmdline").read_text()]


def test_a_developer_reaches_each_service_whole_on_its_own_port(door: Gateway) -> None:
    for name in ("GATEWAY_PRODUCTS_PORT", "GATEWAY_ORDERS_PORT"):
        login = door.ask("GET", "/admin/login/", "X-Request-ID: developer", port=door.ports[name])

        assert login.status == 200
        assert login.headers.get_all("X-Request-ID") == ["developer"]
        assert door.ask("GET", "/readyz", port=door.ports[name]).status == 200


def test_700_requests_with_700_forged_addresses_are_one_client(stack: Stack) -> None:
    with gateway(**addresses(stack), GATEWAY_RATE="1", GATEWAY_BURST="20") as door:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=60)
        answers = []
        for number in range(700):
            forged = {"X-Forwarded-For": f"203.0.113.{number % 256}, 10.0.{number // 256}.1", "X-Real-IP": "10.0.0.9"}
            connection.request("GET", "/products/1", headers=forged | {"Forwarded": f"for=10.1.0.{number % 256}"})
            response = connection.getresponse()
            answers.append(RawAnswer(response.status, response.headers, response.read()))
        connection.close()
        elapsed = time.monotonic() - began
        other = door.ask("GET", "/products/1")

    served = [answer.headers for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert 21 <= len(served) <= 21 + math.ceil(elapsed)
    assert all(headers["RateLimit-Policy"] == '"client";q=1;w=1' and not headers["RateLimit"] for headers in served)
    for answer in refused:
        assert_problem(answer, 429, "too_many_requests")
        assert answer.headers.get_all("Retry-After") == ["1"]
        assert answer.headers["RateLimit"] == '"client";r=0;t=1'
        assert answer.headers["RateLimit-Policy"] == '"client";q=1;w=1'
    assert other.status == 200


def test_a_credential_is_a_client_of_its_own_within_the_bound_of_its_address(stack: Stack) -> None:
    bounds = {"GATEWAY_RATE": "1", "GATEWAY_BURST": "1", "GATEWAY_ADDRESS_RATE": "1", "GATEWAY_ADDRESS_BURST": "30"}
    with gateway(**addresses(stack), **bounds) as door:

        def statuses(names: Iterable[str], clients: Iterable[str]) -> list[int]:
            return [
                door.ask("GET", "/products/1", f"Authorization: Basic {name}", client=client).status
                for name, client in zip(names, clients, strict=False)
            ]

        began = time.monotonic()
        office = statuses(("anne", "bob", "anne", "bob"), repeat("127.0.9.1"))
        traveller = statuses(repeat("carol"), (f"127.0.9.{number}" for number in range(10, 30)))
        inventor = statuses((str(number) for number in range(100)), repeat("127.0.9.2"))
        seconds = math.ceil(time.monotonic() - began)

    passed = 401  # by the service
    assert office == [passed] * 4
    assert 2 <= traveller.count(passed) <= 2 + seconds
    assert 31 <= inventor.count(passed) <= 31 + seconds


def test_an_address_has_so_many_connections_with_a_request(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        orders = f"127.0.0.1:{silent.getsockname()[1]}"
        with gateway(**addresses(stack) | {"GATEWAY_ORDERS": orders, "GATEWAY_CONNECTIONS": "3"}) as door:
            held = [door.connect("127.0.9.5") for _ in range(3)]
            for connection in held:
                connection.sendall(request(b"GET", b"/orders"))
            taken = [silent.accept()[0] for _ in held]
            refused = door.ask("GET", "/products/1", "X-Request-ID: one-too-many", client="127.0.9.5")
            other = door.ask("GET", "/products/1", client="127.0.9.6")
            line = door.log_line("one-too-many")
            for connection in (*held, *taken):
                connection.close()

    assert_problem(refused, 429, "too_many_requests")
    assert line["limited_connections"] == "REJECTED"
    assert other.status == 200


@pytest.mark.parametrize(
    "raw",
    [post(b" " * 10, length=1_048_577), post_chunked(chunks(b" " * 1_048_577))],
    ids=["announced", "chunked"],
)
def test_a_body_has_a_bound(door: Gateway, raw: bytes) -> None:
    assert_problem(door.exchange(raw), 413, "request_too_large")


def test_the_head_has_bounds(door: Gateway) -> None:
    assert_problem(door.ask("GET", "/products?search=" + "x" * 9_000), 414, "uri_too_long")
    assert_problem(door.ask("GET", "/products", "X: " + "x" * 9_000), 431, "headers_too_large")
    assert_problem(door.ask("GET", "/products", "no colon"), 400, "bad_request")


def test_a_method_that_is_not_passed_on_is_refused_with_those_that_are(door: Gateway) -> None:
    refused = door.ask("TRACE", "/products/1")
    of_the_service = door.ask("POST", "/products/1", body={})

    assert_problem(refused, 405, "method_not_allowed")
    assert refused.headers.get_all("Allow") == ["GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]
    assert of_the_service.status == 405
    assert of_the_service.headers.get_all("Allow") == ["GET, PUT, PATCH, DELETE, HEAD, OPTIONS"]


def test_a_service_hears_of_a_request_when_it_is_whole(stack: Stack) -> None:
    raw = post(b'{"productId": 1, "quantity": 2}')
    with socket.create_server(("127.0.0.1", 0)) as peer:
        orders = f"127.0.0.1:{peer.getsockname()[1]}"
        with gateway(**addresses(stack) | {"GATEWAY_ORDERS": orders}) as door, door.connect() as slow:
            slow.sendall(raw[:-5])
            assert door.ask("GET", "/products/1").status == 200  # by now the gateway has read those bytes
            early, _, _ = select.select([peer], [], [], 0)
            slow.sendall(raw[-5:])
            connection, _ = peer.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
            connection.close()
            answer = read_answer(slow)

    assert early == []
    assert answer.status == 201


class Replica(ThreadingHTTPServer):
    """A replica of a service on an address of its own; it counts its requests."""

    daemon_threads = True

    def __init__(self, address: str, port: int) -> None:
        self.requests = 0
        super().__init__((address, port), ReplicaHandler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class ReplicaHandler(BaseHTTPRequestHandler):
    server: Replica

    def do_GET(self) -> None:
        self.server.requests += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Do not log."""


def test_replicas_come_and_go_and_no_request_fails(stack: Stack) -> None:
    port = free_port()
    first, second = Replica("127.0.0.2", port), Replica("127.0.0.3", port)
    with name_server("127.0.0.2", "127.0.0.3") as names:
        settings = {"GATEWAY_ORDERS": f"orders.test:{port}", "GATEWAY_RESOLVER": names.address}
        with gateway(**addresses(stack) | settings) as door:

            def statuses(count: int) -> set[int]:
                return {door.ask(method, "/orders").status for method in ("GET", "POST") * count}

            with_both = statuses(15)
            shared = (first.requests, second.requests)
            first.stop()  # before the name server knows
            with_one = statuses(15)
            third = Replica("127.0.0.4", port)
            names.addresses = ("127.0.0.3", "127.0.0.4")
            deadline = time.monotonic() + 60
            with_a_new_one = set()
            while not third.requests and time.monotonic() < deadline:
                with_a_new_one |= statuses(1)
            second.stop()
            third.stop()

    assert min(shared) > 0
    assert sum(shared) == 30
    assert with_both == with_one == with_a_new_one == {200}
    assert third.requests > 0


SHOP, OTHER = "https://shop.example", "https://evil.example"
PREFLIGHT = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: idempotency-key")


@pytest.fixture(scope="module")
def shops_door(stack: Stack) -> Iterator[Gateway]:
    origins = f"http://localhost:5173,{SHOP}"
    with gateway(**addresses(stack), GATEWAY_CORS_ORIGINS=origins, GATEWAY_CORS_CREDENTIALS="true") as running:
        yield running


@pytest.mark.parametrize("path", ["/products/1", "/products/999", "/metrics"])
def test_a_page_of_a_listed_origin_may_read_every_answer(shops_door: Gateway, path: str) -> None:
    answer = shops_door.ask("GET", path, f"Origin: {SHOP}")

    assert answer.headers.get_all("Access-Control-Allow-Origin") == [SHOP]
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert {"ETag", "X-Request-ID", "WWW-Authenticate"} <= set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )
    assert "Origin" in answer.headers.get_all("Vary", [])
    assert answer.headers["Access-Control-Allow-Methods"] is None


def test_the_gateway_answers_a_preflight(shops_door: Gateway) -> None:
    answer = shops_door.ask("OPTIONS", "/orders", "X-Request-ID: preflight", f"Origin: {SHOP}", *PREFLIGHT)

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert {"Idempotency-Key", "If-Match"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert shops_door.log_line("preflight")["peer"] == ""


@pytest.mark.parametrize("origin", [OTHER, "https://shop.example.evil.example", "http://shop.example", "null"])
def test_a_page_of_another_origin_may_read_nothing(shops_door: Gateway, origin: str) -> None:
    for method, *more in (("GET",), ("OPTIONS", *PREFLIGHT)):
        answer = shops_door.ask(method, "/products/1", f"Origin: {origin}", *more)

        assert [name for name in answer.headers if name.startswith("Access-Control-")] == []


def test_no_page_is_allowed_by_default(door: Gateway) -> None:
    answer = door.ask("GET", "/products/1", f"Origin: {SHOP}")

    assert answer.status == 200
    assert [name for name in answer.headers if name.startswith("Access-Control-")] == []


def test_every_page_may_be_allowed_without_credentials(stack: Stack) -> None:
    with gateway(**addresses(stack), GATEWAY_CORS_ORIGINS="*") as door:
        answer = door.ask("GET", "/products/1", f"Origin: {OTHER}")

    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Credentials"] is None


@pytest.mark.parametrize(
    ("origins", "credentials", "reason"),
    [
        ("*", "true", "would let every page act as its visitor"),
        (f"{SHOP},*", "true", "would let every page act as its visitor"),
        ("https://*.example", "false", "is not an origin"),
        ("shop.example", "false", "is not an origin"),
        (f"{SHOP}/", "false", "is not an origin"),
        ('https://a"', "false", "is not an origin"),
        (SHOP, "yes", "is true or false"),
    ],
)
def test_a_faulty_list_of_origins_stops_the_start(tmp_path: Path, origins: str, credentials: str, reason: str) -> None:
    env = {"GATEWAY_CORS_ORIGINS": origins, "GATEWAY_CORS_CREDENTIALS": credentials, "TMPDIR": str(tmp_path)}

    done = start("-t", **env)

    assert done.returncode == 2
    assert reason in done.stderr


@pytest.mark.parametrize(
    ("path", "accept", "is_compressed"),
    [
        ("/products-service/openapi.json", "application/json", True),
        ("/products", "text/html", False),  # its forms hold a CSRF token
        ("/products", "*/*;q=0.1, text/*", False),
        ("/products-service/docs", "text/html", False),
        ("/products/1", "application/json", False),  # too small
    ],
)
def test_json_is_compressed_and_a_page_is_not(door: Gateway, path: str, accept: str, is_compressed: bool) -> None:
    answer = door.ask("GET", path, f"Accept: {accept}", "Accept-Encoding: gzip")

    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == ("gzip" if is_compressed else None)
    if is_compressed:
        assert json.loads(gzip.decompress(answer.body))["openapi"]


def test_production_speaks_https_alone(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    subprocess.run([shutil.copy(ROOT / "scripts/secrets", tmp_path / "scripts")], check=True, capture_output=True)
    secrets = tmp_path / "secrets"
    files = {
        "GATEWAY_CERTIFICATE": str(secrets / "gateway_certificate"),
        "GATEWAY_CERTIFICATE_KEY": str(secrets / "gateway_certificate_key"),
    }
    trusting = ssl.create_default_context(cafile=files["GATEWAY_CERTIFICATE"])
    with gateway(**addresses(stack), **files, GATEWAY_ENV="production") as door:
        answers = []
        for raw in (post(b'{"productId": 1, "quantity": 2}'), request(b"GET", b"/metrics")):
            with trusting.wrap_socket(door.connect(), server_hostname="localhost") as connection:
                connection.sendall(raw)
                answers.append(read_answer(connection))
        redirect = door.ask("POST", "/orders?a=b", body=ORDER, port=door.ports["GATEWAY_HTTP_PORT"])
        plain = door.ask("GET", "/products/1")
        for name in ("GATEWAY_PRODUCTS_PORT", "GATEWAY_ORDERS_PORT"):
            with pytest.raises(ConnectionRefusedError):
                door.connect(port=door.ports[name])

    placed, closed = answers
    assert placed.status == 201
    assert placed.headers["Location"].startswith("https://localhost/orders/")
    assert_problem(closed, 404, "not_found")
    for answer in answers:
        assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    assert (redirect.status, redirect.headers["Location"]) == (308, "https://localhost/orders?a=b")
    assert_problem(plain, 400, "bad_request")
