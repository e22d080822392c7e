"""Events from RabbitMQ are acknowledged after their effect, retried on failure, and finally dead letters."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.db import connection
from structlog.testing import capture_logs

from events.inbox.consumer import ATTEMPTS, ERROR
from events.inbox.management.commands import consume_events
from events.inbox.management.commands.consume_events import Command
from events.inbox.models import InboxEvent
from events.inbox.queues import Queues
from events.payloads import PUBLISHED, OrderConfirmed
from events.tests import sold
from events.tests.made_events import confirmed
from events.tests.rabbitmq import Broker
from ops.tests.peers import refused
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume_events, "ONCE", 0.1)


@pytest.fixture
def queues(rabbitmq: Broker, settings: LazySettings) -> Queues:
    settings.CONFIG = rabbitmq.configured(settings.CONFIG, events_max_attempts=3)
    found = Queues.of(settings.CONFIG)
    found.declare(rabbitmq.channel.connection)
    return found


def consume(*options: str) -> tuple[object, str, str]:
    return run(Command(), "--once", *options)


def send(rabbitmq: Broker, event: dict[str, Any] | bytes, **properties: Any) -> None:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    rabbitmq.publish(body, message_id=str(uuid4()), delivery_mode=2, **properties)


def broken(event: Any) -> None:
    raise RuntimeError("broken")


def test_events_take_effect_once_and_are_acknowledged(rabbitmq: Broker, queues: Queues) -> None:
    event = confirmed(quantity=5)
    for _ in range(3):
        send(rabbitmq, event)
    send(rabbitmq, confirmed(quantity=1))
    send(rabbitmq, confirmed(type="argos.unheard.of.v1"))

    assert consume() == (0, "Consumed 5 events: 0 to retry, 0 dead letters.\n", "")

    assert sold.units() == 6
    assert [rabbitmq.count(name) for name in (queues.main, queues.retry, queues.dead)] == [0, 0, 0]


def test_a_poison_message_is_set_aside_at_once_with_its_reason_and_blocks_nothing(
    rabbitmq: Broker, queues: Queues
) -> None:
    for body in (b"{", b"\xff\x00", b'{"specversion": "1.0"}'):
        send(rabbitmq, body)
    send(rabbitmq, confirmed(data={}))
    send(rabbitmq, confirmed())

    assert consume()[:2] == (0, "Consumed 5 events: 0 to retry, 4 dead letters.\n")

    assert sold.units() == 2
    aside = rabbitmq.messages(queues.dead)
    assert [message.body for message in aside[:2]] == [b"{", b"\xff\x00"]
    reasons = [message.properties["application_headers"][ERROR] for message in aside]
    assert reasons[0] == "The body is not JSON."
    assert reasons[3] == "data.orderId: Field required."


def test_what_fails_is_tried_again_and_then_set_aside(
    rabbitmq: Broker, queues: Queues, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INBOX = {**settings.INBOX, "argos.broken.v1": f"{__name__}.broken"}
    monkeypatch.setitem(PUBLISHED, "argos.broken.v1", OrderConfirmed)
    monkeypatch.setattr(consume_events, "ONCE", 1.5)  # each try comes again after a second
    send(rabbitmq, confirmed(type="argos.broken.v1", correlationid="the-request"))
    send(rabbitmq, confirmed())

    with capture_logs() as logs:
        code, output, _ = consume("--retry-after", "1")
    for _ in range(10):
        if rabbitmq.count(queues.dead):
            break
        code, output, _ = consume("--retry-after", "1")

    assert code == 0
    assert {line["request_id"] for line in logs if line["event"] == "event.retried"} == {"the-request"}
    assert output.endswith("1 dead letters.\n")
    assert sold.units() == 2
    (message,) = rabbitmq.messages(queues.dead)
    headers = message.properties["application_headers"]
    assert (headers[ATTEMPTS], headers[ERROR]) == (3, "RuntimeError")
    assert not InboxEvent.objects.filter(type="argos.broken.v1").exists()


@pytest.mark.django_db(transaction=True)
def test_a_read_only_database_costs_no_event_an_attempt(rabbitmq: Broker, queues: Queues) -> None:
    send(rabbitmq, confirmed())
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = 1" if is_sqlite else "SET default_transaction_read_only = on")

    code, _, errors = consume()

    assert (code, errors.startswith("Could not consume all events: the database: ")) == (1, True)
    if is_sqlite:  # PostgreSQL's session was closed, so that the promoted server is found
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = 0")
    while not rabbitmq.count(queues.main):
        pass  # RabbitMQ has yet to notice that the consumer has gone
    (message,) = rabbitmq.messages(queues.main)
    assert ATTEMPTS not in message.properties["application_headers"]
    send(rabbitmq, message.body)
    assert consume()[1] == "Consumed 1 events: 0 to retry, 0 dead letters.\n"
    assert sold.units() == 2


def test_a_broker_that_is_away_is_a_failure_of_once(settings: LazySettings) -> None:
    from pydantic import SecretStr

    url = refused().replace("http://", "amqp://guest:hidden@")
    settings.CONFIG = settings.CONFIG.model_copy(update={"events_url": SecretStr(url)})

    code, _, errors = consume()

    assert code == 1
    assert "Connection refused" in errors
    assert "hidden" not in errors


def test_queues_that_exist_with_other_arguments_are_named(rabbitmq: Broker, settings: LazySettings) -> None:
    settings.CONFIG = rabbitmq.configured(settings.CONFIG)
    rabbitmq.channel.queue_declare(Queues.of(settings.CONFIG).dead, durable=True, auto_delete=False)

    code, _, errors = consume()

    assert code == 1
    assert errors.startswith("A queue or the exchange exists with other arguments: ")
    assert "shop-service.dead" in errors


@pytest.mark.parametrize("url", [None, "http://localhost:3001/events"])
def test_without_a_broker_there_is_nothing_to_consume(settings: LazySettings, url: str | None) -> None:
    from pydantic import SecretStr

    settings.CONFIG = settings.CONFIG.model_copy(update={"events_url": SecretStr(url) if url else None})

    assert consume() == (2, "", "EVENTS_URL is not an amqp:// URL, so there are no queues to consume.\n")
