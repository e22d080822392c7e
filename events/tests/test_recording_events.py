"""An event is stored together with its change."""

from __future__ import annotations

import json
import re

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from jsonschema import Draft202012Validator
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from events.cloudevents import read_event
from events.outbox import queue
from events.outbox.models import OutboxEvent
from events.tests.recorded_events import CONFIRMED, pending, record
from ops.config.service import ROOT
from ops.telemetry import request_context

pytestmark = pytest.mark.django_db

DOCUMENTS = ROOT / "docs" / "events"


def test_it_is_undone_with_its_transaction() -> None:
    with transaction.atomic():
        record(1)
        transaction.set_rollback(True)

    assert pending() == []


def test_it_costs_one_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        record(1)

    assert len(queries) == 1


def test_what_is_sent_is_what_the_schema_says() -> None:
    provider = TracerProvider()
    request_context.begin("a-request")
    with provider.get_tracer("test").start_as_current_span("POST /orders") as span:
        record(42)

    (claimed,) = queue.claim(limit=10, lease=30)
    document = json.loads(claimed.event.to_json())

    schema = json.loads((DOCUMENTS / f"{CONFIRMED}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    schema["properties"]["source"] = {"const": "/shop-service"}
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    context = span.get_span_context()
    ids = f"{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}"
    assert document["traceparent"][:-2] == f"00-{ids}-"
    assert document["correlationid"] == "a-request"
    assert read_event(document) == claimed.event


def test_without_tracing_and_a_request_it_names_neither() -> None:
    request_context.clear()
    record(42)

    (claimed,) = queue.claim(limit=10, lease=30)

    document = json.loads(claimed.event.to_json())
    assert not {"traceparent", "correlationid"} & set(document)


def test_the_example_in_the_documentation_is_as_the_schema_says() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", (DOCUMENTS / "README.md").read_text(), flags=re.DOTALL)
    schema = json.loads((DOCUMENTS / f"{CONFIRMED}.schema.json").read_text())

    Draft202012Validator(schema).validate(json.loads(example))


def test_the_release_after_may_leave_out_what_the_database_fills_in() -> None:
    record(1)

    event = OutboxEvent.objects.get()
    assert (event.attempts, event.last_error, event.sent_at, event.dead_at) == (0, "", None, None)
    assert str(event) == f"{CONFIRMED} of 1"
