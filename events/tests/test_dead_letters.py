"""list_dead_letters shows what the consumer gave up, and redrive_dead_letters returns it."""

from __future__ import annotations

import json

import pytest
from django.conf import LazySettings
from pydantic import SecretStr

from events.inbox.management.commands import consume_events, list_dead_letters, redrive_dead_letters
from events.inbox.queues import Queues
from events.tests import sold
from events.tests.made_events import confirmed
from events.tests.rabbitmq import Broker
from ops.tests.peers import refused
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def queues(rabbitmq: Broker, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """Leave three dead letters: one that cannot be parsed and two that a repaired handler takes."""
    monkeypatch.setattr(consume_events, "ONCE", 0.1)
    settings.CONFIG = rabbitmq.configured(settings.CONFIG, events_max_attempts=1)
    found = Queues.of(settings.CONFIG)
    found.declare(rabbitmq.channel.connection)
    rabbitmq.publish(b"{", message_id="first")
    with monkeypatch.context() as patch:
        patch.setattr("events.inbox.consumer.handle_event", _broken)
        for number in (2, 3):
            rabbitmq.publish(json.dumps(confirmed(quantity=number, subject=str(number))), message_id=str(number))
        assert run(consume_events.Command(), "--once")[1] == "Consumed 3 events: 0 to retry, 3 dead letters.\n"
    return found


def _broken(event: object) -> None:
    raise RuntimeError("broken")


def test_they_are_listed_and_counted_and_none_is_lost(rabbitmq: Broker, queues: Queues) -> None:
    for _ in range(3):
        code, output, _ = run(list_dead_letters.Command(), "--json")
        found = json.loads(output)

        assert (code, found["counts"]) == (0, {"dead": 3})
        assert [(one["message_id"], one["subject"], one["reason"]) for one in found["events"]] == [
            ("first", "", "The body is not JSON."),
            ("2", "2", "RuntimeError"),
            ("3", "3", "RuntimeError"),
        ]
    assert rabbitmq.count(queues.dead) == 3
    assert run(list_dead_letters.Command(), "--limit", "1")[1].endswith("3 dead letters. The first 1 are listed.\n")


def test_after_the_repair_they_are_redriven_as_if_they_had_never_failed(rabbitmq: Broker, queues: Queues) -> None:
    assert run(redrive_dead_letters.Command(), "--dry-run")[1] == "Would redrive 3 dead letters. Nothing was changed.\n"
    assert run(redrive_dead_letters.Command()) == (0, "Redrove 3 dead letters.\n", "")

    assert run(consume_events.Command(), "--once")[1] == "Consumed 3 events: 0 to retry, 1 dead letters.\n"
    assert sold.units() == 5
    assert rabbitmq.count(queues.dead) == 1


def test_some_of_them_can_be_redriven_first(rabbitmq: Broker, queues: Queues) -> None:
    assert run(redrive_dead_letters.Command(), "--limit", "1") == (0, "Redrove 1 dead letter.\n", "")

    assert [rabbitmq.count(name) for name in (queues.main, queues.dead)] == [1, 2]


@pytest.mark.parametrize("command", [list_dead_letters.Command, redrive_dead_letters.Command])
def test_without_a_broker_they_say_so(settings: LazySettings, command: type[list_dead_letters.Command]) -> None:
    assert run(command()) == (0, "EVENTS_URL is not an amqp:// URL, so there are no queues.\n", "")
    url = refused().replace("http://", "amqp://guest:hidden@")
    settings.CONFIG = settings.CONFIG.model_copy(update={"events_url": SecretStr(url)})

    code, _, errors = run(command())

    assert code == 1
    assert "Connection refused" in errors
    assert "hidden" not in errors
