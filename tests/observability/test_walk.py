"""A point on a graph leads to its trace and its log line; an error leads to all three."""

from __future__ import annotations

from typing import Any

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from tests.observability.eventful_stack import EventfulStack
from tests.processes import Service

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PRODUCT_ROUTE = "GET /products/<int:product_id>"


def exemplars_of(service: Service) -> set[str]:
    """Return the traces in the exemplars of the durations."""
    answer = requests.get(f"{service.url}/metrics", headers={"Accept": OPENMETRICS}, timeout=10)
    return {
        sample.exemplar.labels["trace_id"]
        for family in parse_openmetrics(answer.text)  # type: ignore[no-untyped-call] # the library has no types here
        for sample in family.samples
        if sample.exemplar and sample.name == "http_request_duration_seconds_bucket"
    }


def lines_of(service: Service, trace_id: str) -> list[dict[str, Any]]:
    return [line for line in service.log_lines() if line.get("trace_id") == trace_id]


def test_an_exemplar_leads_to_the_trace_and_to_the_log_line(eventful: EventfulStack) -> None:
    orders, products = eventful.stack.orders, eventful.stack.products
    placed = eventful.stack.place_order()
    assert placed.status_code == 201
    (trace_id,) = {line["trace_id"] for line in orders.log_lines() if line.get("order_id") == placed.json()["id"]}

    eventful.prometheus.wait_until(lambda: trace_id in exemplars_of(orders), "the exemplar of the order")
    spans = eventful.collector.wait_for(trace_id, "POST /orders", PRODUCT_ROUTE, "SELECT")
    (orders_line,), (products_line,) = lines_of(orders, trace_id), lines_of(products, trace_id)

    assert {span.service for span in spans} == {"orders-service", "products-service"}
    (root,) = [span for span in spans if span.name == "POST /orders"]
    assert root.span_id == orders_line["span_id"]
    assert (orders_line["order_id"], products_line["status"]) == (placed.json()["id"], 200)


def test_prometheus_keeps_the_exemplar_that_grafana_draws(eventful: EventfulStack) -> None:
    def traces() -> set[str]:
        found = eventful.prometheus.exemplars('http_request_duration_seconds_bucket{job="orders-service"}', last=600)
        return {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}

    eventful.stack.place_order()
    eventful.prometheus.wait_until(traces, "an exemplar")

    trace_id = sorted(traces())[0]
    assert eventful.collector.wait_for(trace_id, "POST /orders")
    assert lines_of(eventful.stack.orders, trace_id)


def test_an_error_names_the_trace_that_exemplar_collector_and_log_have(eventful: EventfulStack) -> None:
    refused = eventful.stack.place_order(product_id=999_999)
    trace_id = refused.json()["traceId"]

    eventful.prometheus.wait_until(lambda: trace_id in exemplars_of(eventful.stack.orders), "the exemplar of the error")
    spans = eventful.collector.wait_for(trace_id, "POST /orders", PRODUCT_ROUTE)
    (line,) = lines_of(eventful.stack.orders, trace_id)

    assert (line["code"], line["request_id"]) == (refused.json()["code"], refused.json()["requestId"])
    (failed,) = [span for span in spans if span.name == PRODUCT_ROUTE]
    assert failed.attributes["http.response.status_code"] == 404
