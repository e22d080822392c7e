"""One order is one log line in each service, one step of each counter, and one trace; all three agree."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver
from tests.processes import Service, Stack, manage, running_stack

PRODUCT_ROUTE = "/products/<int:product_id>"
LINE_FIELDS = {
    *("timestamp", "level", "event", "service", "version", "environment", "request_id", "trace_id", "span_id"),
    *("method", "route", "path", "status", "duration_ms", "client"),
}
Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Observed:
    """A running stack and its trace collector."""

    stack: Stack
    collector: OtlpReceiver
    is_stock: bool


SETUPS: dict[str, dict[str, str]] = {
    "1 worker": {"WEB_CONCURRENCY": "1"},
    "3 workers": {"WEB_CONCURRENCY": "3"},
    "1 worker, the libraries' own tracing": {"WEB_CONCURRENCY": "1", "ARGOS_STOCK_TELEMETRY": "1"},
}


@pytest.fixture(scope="module", params=SETUPS.values(), ids=list(SETUPS))
def observed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with otlp_receiver() as collector:
        env = {
            "JAEGER_ENDPOINT": collector.url,
            **request.param,
            "SERVICE_VERSION": "v1.2.3",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        with running_stack(tmp_path_factory.mktemp("stack"), **env) as stack:
            yield Observed(stack, collector, "ARGOS_STOCK_TELEMETRY" in env)


def counters(service: Service) -> dict[Series, float]:
    """Return the counts of requests, calls and business events."""
    text = requests.get(f"{service.url}/metrics", timeout=30).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(("http_", "orders_", "products_")) and sample.name.endswith(("_total", "_count"))
    }


def moved(before: dict[Series, float], after: dict[Series, float]) -> dict[Series, float]:
    return {series: value - before.get(series, 0) for series, value in after.items() if value != before.get(series, 0)}


def line_of(service: Service, trace_id: str) -> dict[str, Any]:
    """Return the only line that the service logged in this trace."""
    (line,) = [line for line in service.log_lines() if line.get("trace_id") == trace_id]
    return line


def trace_of(observed: Observed, answer: requests.Response) -> str:
    """Return the trace of an answered order."""
    request_id = answer.headers["X-Request-ID"]
    (line,) = [line for line in observed.stack.orders.log_lines() if line.get("request_id") == request_id]
    return str(line["trace_id"])


def only(spans: list[ReceivedSpan], service: str, kind: str, *, database: bool = False) -> ReceivedSpan:
    """Return the only span of this service and kind that is, or is not, an SQL statement."""
    (span,) = [s for s in spans if (s.service, s.kind, "db.system.name" in s.attributes) == (service, kind, database)]
    return span


def test_an_order_is_one_log_line_in_each_service_with_the_same_ids(observed: Observed) -> None:
    answer = observed.stack.place_order(headers={"X-Request-ID": uuid4().hex})

    trace_id = trace_of(observed, answer)
    orders, products = line_of(observed.stack.orders, trace_id), line_of(observed.stack.products, trace_id)
    assert orders["request_id"] == products["request_id"] == answer.headers["X-Request-ID"]
    for line, service in ((orders, "orders-service"), (products, "products-service")):
        assert line.keys() >= LINE_FIELDS
        assert (line["event"], line["level"], line["service"]) == ("request.finished", "info", service)
        assert (line["version"], line["environment"], line["client"]) == ("v1.2.3", "development", "127.0.0.1")
        assert line["duration_ms"] > 0
        assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None
    assert (orders["method"], orders["route"], orders["path"], orders["status"]) == ("POST", "/orders", "/orders", 201)
    assert orders["order_id"] == answer.json()["id"]
    assert (products["route"], products["path"], products["status"]) == (PRODUCT_ROUTE, "/products/1", 200)


def test_an_order_moves_every_counter_by_exactly_one(observed: Observed) -> None:
    orders, products = observed.stack.orders, observed.stack.products
    observed.stack.place_order()  # so that every series exists
    before = counters(orders), counters(products)

    assert observed.stack.place_order().status_code == 201

    assert moved(before[0], counters(orders)) == {
        ("http_requests_total", (("method", "POST"), ("route", "/orders"), ("status", "201"))): 1,
        ("http_request_duration_seconds_count", (("method", "POST"), ("route", "/orders"))): 1,
        ("http_client_requests_total", (("outcome", "success"), ("peer", "products"))): 1,
        ("http_client_request_duration_seconds_count", (("peer", "products"),)): 1,
        ("orders_created_total", ()): 1,
        ("orders_units_total", ()): 2,
    }
    assert moved(before[1], counters(products)) == {
        ("http_requests_total", (("method", "GET"), ("route", PRODUCT_ROUTE), ("status", "200"))): 1,
        ("http_request_duration_seconds_count", (("method", "GET"), ("route", PRODUCT_ROUTE))): 1,
        ("products_lookups_total", (("outcome", "found"),)): 1,
    }


def test_the_metrics_say_what_runs_and_what_it_uses(observed: Observed) -> None:
    for service, name in ((observed.stack.orders, "orders-service"), (observed.stack.products, "products-service")):
        assert service.metric("argos_build_info", service=name, version="v1.2.3") == 1
        for metric in ("resident_memory_bytes", "virtual_memory_bytes", "cpu_seconds_total", "open_fds", "max_fds"):
            assert service.metric(f"process_{metric}") > 0, metric
        assert abs(service.metric("process_start_time_seconds") - time.time()) < 600


def test_an_order_is_one_trace_through_both_services_and_their_databases(observed: Observed) -> None:
    answer = observed.stack.place_order()

    spans = observed.collector.wait_for(trace_of(observed, answer), "POST /orders", f"GET {PRODUCT_ROUTE}", "GET")
    server = only(spans, "orders-service", "server")
    call = only(spans, "orders-service", "client")
    peer = only(spans, "products-service", "server")
    statement = only(spans, "products-service", "client", database=True)
    assert (server.name, server.parent_id) == ("POST /orders", "")
    assert (call.name, call.parent_id) == ("GET", server.span_id)
    assert (peer.name, peer.parent_id) == (f"GET {PRODUCT_ROUTE}", call.span_id)
    assert (statement.name, statement.parent_id) == ("SELECT", peer.span_id)
    # The order and its event: one statement on PostgreSQL, two on SQLite.
    stored = [span for span in spans if span.name in ("INSERT", "WITH")]
    assert [span.name for span in stored] in (["WITH"], ["INSERT", "INSERT"])
    assert {(span.service, span.parent_id) for span in stored} == {("orders-service", server.span_id)}
    assert not any(span.error for span in spans)


def test_spans_follow_the_stable_semantic_conventions(observed: Observed) -> None:
    answer = observed.stack.place_order()
    refused = observed.stack.place_order(params={"token": "secret"})

    (alone,) = observed.collector.wait_for(trace_of(observed, refused), "POST /orders")
    assert alone.attributes["url.query"] == "[redacted]"
    spans = observed.collector.wait_for(trace_of(observed, answer), "POST /orders", f"GET {PRODUCT_ROUTE}", "GET")
    server = only(spans, "orders-service", "server").attributes
    assert server["http.request.method"] == "POST"
    assert server["http.route"] == server["url.path"] == "/orders"
    assert server["http.response.status_code"] == 201
    assert (server["argos.order.id"], server["argos.product.id"]) == (answer.json()["id"], 1)
    assert only(spans, "products-service", "server").attributes["argos.product.id"] == 1
    assert (server["server.address"], server["server.port"]) == ("127.0.0.1", observed.stack.orders.port)
    assert "url.query" not in server
    call = only(spans, "orders-service", "client").attributes
    assert call["url.full"] == f"{observed.stack.products.url}/products/1"
    assert call["http.response.status_code"] == 200
    statement = only(spans, "products-service", "client", database=True).attributes
    assert statement["db.system.name"] in ("sqlite", "postgresql")
    assert statement["db.query.text"].startswith("SELECT")
    assert not {"http.method", "http.url", "http.status_code", "db.system", "db.statement"} & {
        name for span in spans for name in span.attributes
    }
    for span in spans:
        assert span.resource["service.version"] == "v1.2.3"
        assert span.resource["deployment.environment.name"] == "development"


def test_an_error_shows_the_trace_that_the_log_and_the_collector_have(observed: Observed) -> None:
    answer = observed.stack.place_order(product_id=999_999)

    assert answer.status_code == 400
    trace_id = answer.json()["traceId"]
    line = line_of(observed.stack.orders, trace_id)
    assert (line["code"], line["request_id"]) == ("product_does_not_exist", answer.json()["requestId"])
    assert line_of(observed.stack.products, trace_id)["status"] == 404
    server = only(observed.collector.wait_for(trace_id, "POST /orders"), "orders-service", "server")
    assert (server.span_id, server.attributes["http.response.status_code"]) == (line["span_id"], 400)


def test_a_callers_trace_is_continued(observed: Observed) -> None:
    trace_id, caller = uuid4().hex, uuid4().hex[:16]

    observed.stack.place_order(headers={"traceparent": f"00-{trace_id}-{caller}-01"})

    spans = observed.collector.wait_for(trace_id, "POST /orders", f"GET {PRODUCT_ROUTE}")
    assert only(spans, "orders-service", "server").parent_id == caller
    assert line_of(observed.stack.orders, trace_id)["status"] == 201


def test_an_unknown_path_and_method_make_no_name_of_their_own(observed: Observed) -> None:
    trace_id = uuid4().hex

    requests.request(
        "BREW",
        f"{observed.stack.products.url}/coffee/metrics",
        headers={"traceparent": f"00-{trace_id}-{uuid4().hex[:16]}-01"},
        timeout=5,
    )

    (span,) = observed.collector.wait_for(trace_id, "other unmatched")
    assert span.attributes["http.request.method"] == "_OTHER"
    assert "http.route" not in span.attributes


def test_probes_and_metrics_are_neither_traced_nor_counted_nor_logged(observed: Observed) -> None:
    orders, products = observed.stack.orders, observed.stack.products
    answer = observed.stack.place_order()
    observed.collector.wait_for(trace_of(observed, answer), "POST /orders", f"GET {PRODUCT_ROUTE}")
    counted, traces = (counters(orders), counters(products)), {span.trace_id for span in observed.collector.spans}
    lines = len(orders.log_lines()) + len(products.log_lines())
    time.sleep(1.1)  # longer than /readyz caches, so that its probes run

    for service in (orders, products):
        for path in ("/healthz", "/readyz", "/metrics"):
            assert requests.get(f"{service.url}{path}", timeout=30).status_code == 200

    assert len(orders.log_lines()) + len(products.log_lines()) == lines
    assert (counters(orders), counters(products)) == counted
    last = trace_of(observed, observed.stack.place_order())
    observed.collector.wait_for(last, "POST /orders", f"GET {PRODUCT_ROUTE}")
    # The databases' own instrumentations trace the statements of a probe, each by itself.
    found = {
        s.trace_id for s in observed.collector.spans if not (observed.is_stock and "db.system.name" in s.attributes)
    }
    assert found - traces == {last}


def test_a_command_is_one_trace_with_its_statements(observed: Observed) -> None:
    env = observed.stack.products.env
    with otlp_receiver() as collector:
        done = manage("products_project", "seed_products", env=env | {"JAEGER_ENDPOINT": collector.url})

        assert done.returncode == 0, done.stderr
        (root,) = [span for span in collector.spans if not span.parent_id]
        assert (root.name, root.kind, root.service) == ("manage.py seed_products", "internal", "products-service")
        assert {span.trace_id for span in collector.spans} == {root.trace_id}
        assert "SELECT" in {span.name for span in collector.spans}
