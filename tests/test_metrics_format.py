"""/metrics is valid in both formats, its exemplars lead to traces, and clients cannot make it grow."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.otlp_receiver import otlp_receiver
from tests.processes import Service, Stack, running_stack

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module", params=["1", "3"], ids=["1 worker", "3 workers"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    # Exemplars need traces, but not a working collector.
    with otlp_receiver("refusing") as collector:
        env = {"JAEGER_ENDPOINT": collector.url, "WEB_CONCURRENCY": request.param}
        with running_stack(tmp_path_factory.mktemp("stack"), **env) as running:
            yield running


def series(service: Service) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    text = requests.get(f"{service.url}/metrics", timeout=30).text
    return {(sample.name, frozenset(sample.labels.items())) for family in parse_text(text) for sample in family.samples}


def test_both_formats_are_valid_and_tell_the_same(stack: Stack) -> None:
    assert stack.place_order().status_code == 201

    for service in (stack.orders, stack.products):
        text = requests.get(f"{service.url}/metrics", timeout=30)
        openmetrics = requests.get(f"{service.url}/metrics", headers={"Accept": OPENMETRICS}, timeout=30)
        assert text.headers["Content-Type"].startswith("text/plain; version=")
        assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text; version=1")
        assert openmetrics.text.endswith("# EOF\n")
        names = [
            {sample.name for family in parse(answer.text) for sample in family.samples}
            for parse, answer in ((parse_text, text), (parse_openmetrics, openmetrics))
        ]
        assert names[0] == names[1]
        assert "http_request_duration_seconds_bucket" in names[0]
        assert not {name for name in names[0] if name.endswith("_created")}


def test_clients_make_no_series(stack: Stack) -> None:
    words = random.Random(2)
    requests.get(f"{stack.products.url}/products/1", timeout=30)
    before = series(stack.products)

    with requests.Session() as session:
        for number in range(200):
            word = "".join(words.choices(string.ascii_uppercase, k=8))
            path = words.choice(
                [f"/{word}", f"/products/{word}", f"/products/{number}", f"/{word}/metrics", "/healthz"]
            )
            host = words.choice(["localhost", f"{word}.example"])
            method = words.choice([word, "GET"])
            session.request(method, f"{stack.products.url}{path}", headers={"Host": host}, timeout=30)

    new = series(stack.products) - before
    requests_of = [dict(labels) for name, labels in new if name == "http_requests_total"]
    assert {labels["route"] for labels in requests_of} == {"unmatched", "/products/<int:product_id>"}
    assert {labels["method"] for labels in requests_of} == {"other", "GET"}
    assert len(requests_of) <= 8
    assert {name for name, _ in new if not name.startswith("http_request")} <= {"products_lookups_total"}


def test_an_exemplar_of_one_process_names_the_orders_trace(stack: Stack) -> None:
    trace_id = stack.place_order(product_id=999_999).json()["traceId"]

    answer = requests.get(f"{stack.orders.url}/metrics", headers={"Accept": OPENMETRICS}, timeout=30)

    exemplars = [
        sample.exemplar.labels
        for family in parse_openmetrics(answer.text)  # type: ignore[no-untyped-call] # the library has no types here
        for sample in family.samples
        if sample.exemplar and sample.name == "http_request_duration_seconds_bucket"
    ]
    # prometheus_client lacks exemplars with several processes.
    assert ({"trace_id": trace_id} in exemplars) == (stack.orders.env["WEB_CONCURRENCY"] == "1")
