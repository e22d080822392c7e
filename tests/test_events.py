"""An event of orders takes effect in products, in one trace, over every transport."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from events.tests.rabbitmq import take_away
from events.tests.rabbitmq import url as amqp_url
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.processes import ROOT, Service, clean_environment, database, free_port, manage, prepared_database

# The work of the use case that confirms an order, in a span like the request's.
RECORD = """
import sys, django
from django.conf import settings
from ops.telemetry import request_context, tracing
from ops.config.service import ServiceConfig
tracing.start_tracing(settings.CONFIG)
django.setup()
from django.db import connection, transaction
from opentelemetry import trace
from events.outbox.publish import publish_event
from events.payloads import OrderConfirmed
request_context.begin("the-request")
with tracing.tracer.start_as_current_span("POST /orders") as span, transaction.atomic(), connection.cursor() as cursor:
    for number in range(1, 4):
        order = OrderConfirmed(orderId=number, productId=1, quantity=number, confirmedAt="2026-11-20T09:30:00Z")
        publish_event(cursor, subject=str(number), payload=order)
print(trace.format_trace_id(span.get_span_context().trace_id))
trace.get_tracer_provider().shutdown()
"""


@dataclass
class Chain:
    """The environments of both services, with products running."""

    products: Service
    orders_env: dict[str, str]
    collector: OtlpReceiver

    def record(self) -> str:
        """Record three events of 1, 2 and 3 units; return the trace."""
        done = subprocess.run(
            [sys.executable, "-c", RECORD],
            cwd=ROOT,
            env=clean_environment(self.orders_env | {"DJANGO_SETTINGS_MODULE": "orders_project.settings"}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    def sold(self) -> int:
        return int(requests.get(f"{self.products.url}/products/1/stats", timeout=10).json()["unitsSold"])

    def wait_until_sold(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while self.sold() < count and time.monotonic() < deadline:
            time.sleep(0.1)
        assert self.sold() == count


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with ExitStack() as stack:
        collector = stack.enter_context(otlp_receiver())
        shared = {"JAEGER_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        databases = {
            name: stack.enter_context(database(tmp_path, name, like=prepared_database(f"{name}_project")))
            for name in ("products", "orders")
        }
        products = Service("products_project", tmp_path, shared | {"DATABASE_URL": databases["products"]})
        stack.callback(lambda: products.process is None or products.stop())
        products.start()
        yield Chain(products, shared | {"DATABASE_URL": databases["orders"]}, collector)


def assert_one_trace(chain: Chain, trace_id: str, destination: str, taker: str) -> None:
    spans = chain.collector.wait_for(trace_id, f"send {destination}", f"process {taker}")
    names = [span.name for span in spans]
    # At least: an event, or a batch of spans, is sent again after a late answer.
    assert names.count(f"send {destination}") >= 3 <= names.count(f"process {taker}")
    by_id = {span.span_id: span for span in spans}
    (request,) = [span for span in spans if span.name == "POST /orders"]
    for span in spans:
        if span.name == f"send {destination}":
            assert (span.service, span.kind, span.parent_id) == ("orders-service", "producer", request.span_id)
        if span.name == f"process {taker}":
            assert (span.service, span.kind) == ("products-service", "consumer")
            above = by_id[span.parent_id]
            while above.name != f"send {destination}":
                above = by_id[above.parent_id]
            order_id = int(str(span.attributes["cloudevents.event_subject"]))
            assert (span.attributes["argos.order.id"], span.attributes["argos.product.id"]) == (order_id, 1)


def test_over_http_events_take_effect_once_in_one_trace(chain: Chain) -> None:
    env = chain.orders_env | {"EVENTS_URL": f"{chain.products.url}/events"}
    trace_id = chain.record()

    relayed = manage("orders_project", "relay_events", "--once", env=env)

    assert (relayed.returncode, relayed.stdout) == (0, "Sent 3 events.\n"), relayed.stderr
    assert chain.sold() == 6
    assert chain.products.metric("events_consumed_total", outcome="applied") == 3
    assert_one_trace(chain, trace_id, "events", "events")
    taken = [line for line in chain.products.log_lines() if line.get("path") == "/events"]
    assert {(line["request_id"], line["trace_id"]) for line in taken} == {("the-request", trace_id)}


@pytest.fixture
def rabbitmq() -> Iterator[dict[str, str]]:
    """Yield the variables of a broker."""
    exchange = f"argos-test-{uuid4().hex}"
    yield {"EVENTS_URL": amqp_url(), "EVENTS_EXCHANGE": exchange}
    take_away(exchange)


def started(project: str, *arguments: str, env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, str(ROOT / project / "manage.py"), *arguments],
            env=clean_environment(env),
            stdout=file,
            stderr=file,
        )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_over_rabbitmq_the_loops_do_the_same_and_stop_cleanly(
    chain: Chain, rabbitmq: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shared = rabbitmq | {"TMPDIR": str(tmp_path)}
    ports = {"consumer": free_port(), "relay": free_port()}
    served = {name: {"WORKER_METRICS_PORT": str(port)} for name, port in ports.items()}
    consumer_env = chain.products.env | shared | served["consumer"] | {"LOG_LEVEL": "debug"}
    relay_env = chain.orders_env | shared | served["relay"]
    loops = [
        started("products_project", "consume_events", env=consumer_env, log=tmp_path / "consumer.log"),
        started("orders_project", "relay_events", env=relay_env, log=tmp_path / "relay.log"),
    ]
    try:
        trace_id = chain.record()
        chain.wait_until_sold(6)
        second = chain.orders_env | shared | {"TMPDIR": str(other)}
        loops.append(started("orders_project", "relay_events", env=second, log=tmp_path / "2.log"))
        wait_for(other / "argos-heartbeat")  # otherwise the signal would arrive before its handler exists
        chain.record()  # with two relays running
        chain.wait_until_sold(12)
        counted = {
            name: requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text for name, port in ports.items()
        }
    finally:
        for loop in loops:
            loop.terminate()
        codes = [loop.wait(60) for loop in loops]

    assert codes == [0, 0, 0]
    said = (tmp_path / "consumer.log").read_text()
    assert "Consumed 6 events: 0 to retry, 0 dead letters.\n" in said
    taken = [json.loads(line) for line in said.splitlines() if '"event.taken"' in line]
    assert ("the-request", trace_id) in {(line["request_id"], line["trace_id"]) for line in taken}
    exchange = rabbitmq["EVENTS_EXCHANGE"]
    assert_one_trace(chain, trace_id, exchange, f"{exchange}.products-service")
    assert re.search(r'^events_consumed_total{.*outcome="applied".*} 6.0$', counted["consumer"], flags=re.MULTILINE)
    assert "events_published_total{" in counted["relay"]
    assert "outbox_events_pending" not in counted["relay"]  # the web process reads it from the database
