"""No message ends the consumer; tests/faults/test_broker.py has a broker that takes no publishing."""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings

from events.inbox.consumer import ATTEMPTS, ERROR
from events.inbox.management.commands import consume_events
from events.inbox.queues import Queues
from events.payloads import PUBLISHED, OrderConfirmed
from events.tests import sold
from events.tests.made_events import confirmed
from events.tests.rabbitmq import Broker
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db

BODIES = (b"", b"{", b"\xff\xfe", b'"\\ud800"', b"[" * 5_000, b"null", b'{"specversion":"1.0","id":"\\ud800"}')
COUNTS = ("three", None, -1, 2**63 - 1, True, 1.5, b"\xff", [1], {"a": 1})
FUZZED = 1_000


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume_events, "ONCE", 0.1)


@pytest.fixture
def queues(rabbitmq: Broker, settings: LazySettings) -> Queues:
    settings.CONFIG = rabbitmq.configured(settings.CONFIG, events_max_attempts=3)
    found = Queues.of(settings.CONFIG)
    found.declare(rabbitmq.channel.connection)
    return found


def send(rabbitmq: Broker, body: bytes, **properties: Any) -> None:
    rabbitmq.publish(body, message_id=str(uuid4()), delivery_mode=2, **properties)


def consume() -> tuple[object, str, str]:
    return run(consume_events.Command(), "--once")


def broken(order: Any) -> None:
    raise RuntimeError("broken")


@pytest.mark.parametrize("count", COUNTS)
def test_a_count_of_attempts_that_cannot_be_read_is_the_last(
    rabbitmq: Broker, queues: Queues, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, count: Any
) -> None:
    settings.INBOX = {"argos.poison.v1": f"{__name__}.broken"}
    monkeypatch.setitem(PUBLISHED, "argos.poison.v1", OrderConfirmed)
    send(
        rabbitmq,
        json.dumps(confirmed(type="argos.poison.v1")).encode(),
        application_headers={ATTEMPTS: count, "x-own": "y"},
    )

    assert consume() == (0, "Consumed 1 events: 0 to retry, 1 dead letters.\n", "")

    (dead,) = rabbitmq.messages(queues.dead)
    headers = dead.properties["application_headers"]
    assert (headers[ATTEMPTS], headers[ERROR], "x-own" in headers) == (3, "RuntimeError", False)


def test_any_body_and_any_headers_end_in_their_place(rabbitmq: Broker, queues: Queues) -> None:
    chance = random.Random(18)
    good = 0
    for _ in range(FUZZED):
        is_good = chance.random() < 0.3
        good += is_good
        body = json.dumps(confirmed(quantity=1)).encode() if is_good else chance.choice(BODIES)
        headers = {ATTEMPTS: chance.choice(COUNTS), "traceparent": chance.choice((1, "x", b"\xff", None))}
        more = {"application_headers": headers, "content_type": chance.choice(("", "text/plain", "x" * 255))}
        more["content_encoding"] = chance.choice(("utf-8", "ascii", "nonsense"))
        send(rabbitmq, body, **more, priority=chance.randrange(256), correlation_id="\u20ac")

    assert consume() == (0, f"Consumed {FUZZED} events: 0 to retry, {FUZZED - good} dead letters.\n", "")

    assert sold.units() == good
    assert [rabbitmq.count(name) for name in (queues.main, queues.retry)] == [0, 0]
    dead = [message.body for message in rabbitmq.messages(queues.dead)]
    assert {body if isinstance(body, bytes) else body.encode() for body in dead} == set(BODIES)
