"""The relay publishes to RabbitMQ and knows which events are confirmed."""

from __future__ import annotations

import json
import time

import pytest
from django.conf import LazySettings

from events.outbox import queue
from events.outbox.management.commands.relay_events import Command
from events.outbox.models import OutboxEvent
from events.tests.event_peer import send_to
from events.tests.rabbitmq import Broker
from events.tests.recorded_events import CONFIRMED, due_now, pending, record
from events.transports import broker
from events.transports.factory import open_transport
from ops.tests.peers import refused, silent
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _configured(request: pytest.FixtureRequest, settings: LazySettings) -> None:
    if "rabbitmq" in request.fixturenames:
        settings.CONFIG = request.getfixturevalue("rabbitmq").configured(settings.CONFIG, events_max_attempts=2)


def relay() -> tuple[object, str, str]:
    return run(Command(), "--once")


def test_events_are_persistent_messages_with_their_type_as_the_routing_key(rabbitmq: Broker) -> None:
    everything = rabbitmq.queue()
    record(*range(1, 21))

    assert relay() == (0, "Sent 20 events.\n", "")

    messages = rabbitmq.messages(everything)
    events = [json.loads(message.body) for message in messages]
    assert [event["subject"] for event in events] == [str(number) for number in range(1, 21)]
    first = messages[0]
    assert first.delivery_info["routing_key"] == CONFIRMED
    assert first.properties["message_id"] == events[0]["id"]
    assert first.properties["delivery_mode"] == 2
    assert first.properties["content_type"] == "application/cloudevents+json"
    assert pending() == []


def test_while_nobody_listens_events_wait_and_count_no_failure(rabbitmq: Broker) -> None:
    record(1, 2)

    code, _, errors = relay()

    assert code == 1
    assert "no queue takes it" in errors
    assert pending() == ["1", "2"]
    assert OutboxEvent.objects.filter(attempts=0).count() == 2


def test_one_that_no_queue_takes_does_not_keep_the_others(rabbitmq: Broker) -> None:
    everything = rabbitmq.queue()
    rabbitmq.channel.queue_unbind(everything, rabbitmq.exchange, "#")
    rabbitmq.channel.queue_bind(everything, rabbitmq.exchange, CONFIRMED)
    record(1, kind="argos.unbound.v1")
    record(2)

    assert relay()[0] == 1

    assert [json.loads(message.body)["subject"] for message in rabbitmq.messages(everything)] == ["2"]
    event = OutboxEvent.objects.get(subject="1")
    assert (event.sent_at, event.last_error) == (None, "no queue takes it")


def test_what_the_broker_refuses_has_failed_unless_it_refuses_the_whole_batch(rabbitmq: Broker) -> None:
    full = rabbitmq.queue("full")
    rabbitmq.channel.queue_delete(full)
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    rabbitmq.channel.queue_declare(full, durable=True, auto_delete=False, arguments=arguments)
    rabbitmq.channel.queue_bind(full, rabbitmq.exchange, "#")
    record(1, 2, 3)

    code, _, _ = relay()
    assert code == 1
    assert "refused by the broker" in set(OutboxEvent.objects.values_list("last_error", flat=True))

    due_now()
    before = list(OutboxEvent.objects.filter(sent_at=None).values_list("attempts", flat=True))
    code, _, errors = relay()
    rabbitmq.channel.queue_delete(full)

    assert code == 1
    assert "refused by the broker" in errors
    assert before
    assert list(OutboxEvent.objects.filter(sent_at=None).values_list("attempts", flat=True)) == before


def test_after_the_broker_has_dropped_the_connection_it_connects_anew(rabbitmq: Broker, settings: LazySettings) -> None:
    everything = rabbitmq.queue()
    transport = open_transport(settings.CONFIG)
    assert transport is not None
    record(1)
    events = [one.event for one in _claimed()]
    transport.send(events, should_stop=lambda: False)
    transport._connection.connection.transport.sock.close()  # type: ignore[attr-defined] # as a restart does

    first = transport.send(events, should_stop=lambda: False)
    second = transport.send(events, should_stop=lambda: False)
    transport.close()

    assert first.unavailable
    assert (first.sent, first.failed) == ([], {})
    assert (second.sent, second.unavailable) == ([0], None)
    assert len(rabbitmq.messages(everything)) >= 2


def test_a_signal_ends_a_batch_between_two_events(rabbitmq: Broker, settings: LazySettings) -> None:
    rabbitmq.queue()
    record(1, 2, 3)
    answers = iter([False, True])
    transport = open_transport(settings.CONFIG)
    assert transport is not None

    done = transport.send([one.event for one in _claimed()], should_stop=lambda: next(answers))
    transport.close()

    assert done.sent == [0]


def test_a_broker_that_refuses_or_is_silent_counts_against_no_event_and_shows_no_password(
    settings: LazySettings,
) -> None:
    record(1)
    with silent() as url:
        for address, reason in ((refused(), "Connection refused"), (url, "no answer in time")):
            send_to(settings, address.replace("http://", "amqp://guest:hidden@"), events_timeout=0.3)
            started = time.monotonic()

            code, _, errors = relay()

            assert code == 1
            assert reason in errors
            assert "hidden" not in errors
            assert time.monotonic() - started < 30
    assert OutboxEvent.objects.get().attempts == 0


def test_a_confirm_that_does_not_come_is_no_success(rabbitmq: Broker, settings: LazySettings) -> None:
    connection = broker.connect(settings.CONFIG, "test")
    publisher = broker.ConfirmedPublisher(connection, timeout=0.2)
    publisher.channel.events["basic_ack"].clear()  # the broker's confirms go nowhere

    with pytest.raises(broker.PublishingEnded) as ended:
        publisher.publish([broker.Outgoing(rabbitmq.queue(), b"{}", "1", "application/json", {})])
    broker.close(connection)

    assert ended.value.outcome == ([], {})
    assert str(ended.value) == "no answer in time"


def _claimed() -> list[queue.Claimed]:
    return queue.claim(limit=10, lease=30)
