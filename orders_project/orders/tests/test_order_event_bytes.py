"""An order's event has the same bytes on both databases, with and without a reservation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.db import connection
from jsonschema import Draft202012Validator
from pact import Verifier

from events.cloudevents import CONTENT_TYPE, parse_event
from events.outbox import queue
from events.outbox.publish import event_values
from events.payloads import PUBLISHED, OrderConfirmed, read_payload
from ops.config.service import ROOT
from ops.telemetry import request_context
from ops.tests.pacts import pact_file
from ops.tests.peers import answering
from orders_project.orders import lifecycle
from orders_project.orders.events import publish_confirmed
from orders_project.orders.models import MAX_QUANTITY, Order

pytestmark = pytest.mark.django_db

ORDER: dict[str, Any] = {"product_id": 7, "product_name": "Lamp", "quantity": 3}
EVENT = UUID("5f0c3a52-6a53-4b0e-9a9e-2c1d4d6a8f10")
WHOLE_SECOND = datetime(2026, 11, 28, 7, 30, tzinfo=UTC)  # where Python leaves the fraction out by itself
MICROSECOND = datetime(2026, 11, 28, 7, 30, 0, 10, tzinfo=UTC)
EXPECTED = (
    b'{"data":{"confirmedAt":"%s","orderId":42,"productId":7,"quantity":3},"datacontenttype":"application/json",'
    b'"id":"5f0c3a52-6a53-4b0e-9a9e-2c1d4d6a8f10","source":"/orders-service","specversion":"1.0","subject":"42",'
    b'"time":"%s","type":"argos.order.confirmed.v1"}'
)


def untracked(at: datetime) -> None:
    """Record the event of an order with a known id and time, in the database's way for such orders."""
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            publish_confirmed(cursor, Order(pk=42, **ORDER), at)
            return
        known = lifecycle.INSERT_AND_PUBLISH.replace("(product_id,", "(id, created_at, product_id,", 1)
        statement = known.replace("VALUES (", "VALUES (42, %s, ", 1)
        cursor.execute(statement, [at, *ORDER.values(), "confirmed", None, None, None, *event_values(OrderConfirmed)])


def tracked(at: datetime) -> None:
    """Confirm a pending order with a known id, at a known time."""
    order = Order(pk=42, status="pending", reservation_id=uuid4(), leased=True, recover_after=at, **ORDER)
    order.save(force_insert=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.utils.timezone.now", lambda: at)
        assert lifecycle.confirm(order)


@pytest.mark.parametrize("at", [WHOLE_SECOND, MICROSECOND])
@pytest.mark.parametrize("confirm", [untracked, tracked])
def test_an_orders_event_is_the_same_bytes_on_each_database_and_for_each_kind_of_product(
    confirm: Any, at: datetime
) -> None:
    request_context.clear()  # a request of an earlier test would be the event's correlationid
    confirm(at)
    with connection.cursor() as cursor:
        known = EVENT if connection.features.has_native_uuid_field else EVENT.hex
        moment = at if connection.vendor == "postgresql" else at.replace(tzinfo=None)
        cursor.execute("UPDATE outbox_outboxevent SET event_id = %s, time = %s", [known, moment])

    (claimed,) = queue.claim(limit=10, lease=30)

    written = at.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
    assert claimed.event.to_json() == EXPECTED % (written, written)


def test_the_published_schema_is_the_payload_that_both_ends_hold() -> None:
    for kind, payload in PUBLISHED.items():
        schema = json.loads((ROOT / "docs" / "events" / f"{kind}.schema.json").read_text())
        Draft202012Validator.check_schema(schema)
        assert _without_titles(payload.model_json_schema()) == schema["properties"]["data"]
    assert OrderConfirmed.model_json_schema()["properties"]["quantity"]["maximum"] == MAX_QUANTITY


def test_what_is_sent_is_what_the_receiver_accepts() -> None:
    lifecycle.store_confirmed(Order(**ORDER))

    (claimed,) = queue.claim(limit=10, lease=30)

    order = read_payload(parse_event(claimed.event.to_json()))
    assert isinstance(order, OrderConfirmed)
    assert (order.productId, order.quantity) == (7, 3)


@pytest.mark.parametrize("confirm", [untracked, tracked])
def test_what_is_sent_is_what_the_pact_of_products_expects(confirm: Any) -> None:
    confirm(MICROSECOND)
    (claimed,) = queue.claim(limit=10, lease=30)
    sent = claimed.event.to_json().decode()

    # Not the library's own server, which leaves its socket open.
    with answering(200, body=sent, content_type=CONTENT_TYPE) as (url, _):
        verifier = Verifier("orders-service", host="127.0.0.1")
        verifier.add_transport(protocol="message", port=urlsplit(url).port, path="/")
        verifier.add_source(pact_file("products-service", "orders-service")).set_coloured_output(enabled=False)
        verifier.verify()


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out what pydantic adds for readers."""
    properties = {
        name: {key: value for key, value in found.items() if key != "title"}
        for name, found in schema["properties"].items()
    }
    return {key: schema[key] for key in ("type", "required", "additionalProperties")} | {"properties": properties}


def test_an_order_that_is_stored_publishes_its_event_on_each_database() -> None:
    order = Order(product_id=7, product_name="Lamp", quantity=3)
    lifecycle.store_confirmed(order)

    (claimed,) = queue.claim(limit=10, lease=30)
    document = json.loads(claimed.event.to_json())

    schema = json.loads((ROOT / "docs" / "events" / f"{OrderConfirmed.type}.schema.json").read_text())
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    assert (document["type"], document["subject"]) == (OrderConfirmed.type, str(order.pk))
    confirmed_at = document["data"].pop("confirmedAt")
    assert document["data"] == {"orderId": order.pk, "productId": 7, "quantity": 3}
    assert confirmed_at.endswith("Z")
    assert datetime.fromisoformat(confirmed_at) == order.created_at
