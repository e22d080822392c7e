"""list_events, redrive_events and purge_events list and move the events of the outbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from events.outbox.management.commands import list_events, purge_events, redrive_events
from events.outbox.models import OutboxEvent
from events.outbox.selectors import outbox_events
from events.tests.recorded_events import CONFIRMED, pending, record
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _some_of_each() -> None:
    """Record one sent event, one waiting event and two dead letters."""
    record("sent", "waiting", "dead")
    record("dead too", kind="argos.other.v1")
    OutboxEvent.objects.filter(subject="sent").update(sent_at=NOON, time=NOON)
    OutboxEvent.objects.filter(subject__startswith="dead").update(dead_at=NOON, attempts=20, last_error="answered 422")
    OutboxEvent.objects.filter(subject="dead too").update(dead_at=NOON + timedelta(days=1))


def lines(*options: str) -> list[str]:
    code, output, _ = run(list_events.Command(), *options)
    assert code == 0
    return output.splitlines()


def test_it_lists_and_counts_events_in_their_order() -> None:
    header, sent, waiting, dead, _, sentence = lines()

    assert header.split()[:4] == ["position", "state", "age", "failures"]
    assert " sent " in sent
    assert " pending " in waiting
    assert dead.endswith("answered 422")
    assert sentence == "4 events: 1 pending, 1 sent, 2 dead."


def test_it_chooses_by_state_type_and_time() -> None:
    assert lines("--state", "dead", "--type", CONFIRMED)[-1] == "1 event: 0 pending, 0 sent, 1 dead."
    assert lines("--since", "2026-11-02", "--state", "sent") == ["0 events: 0 pending, 0 sent, 0 dead."]
    assert lines("--limit", "1")[-1] == "4 events: 1 pending, 1 sent, 2 dead. The first 1 are listed."


def test_json_says_everything() -> None:
    document = json.loads(run(list_events.Command(), "--json", "--state", "dead")[1])

    assert document["counts"] == {"pending": 0, "sent": 0, "dead": 2}
    first = document["events"][0]
    assert (first["subject"], first["state"], first["attempts"]) == ("dead", "dead", 20)
    assert (first["deadAt"], first["sentAt"]) == ("2026-11-01T12:00:00Z", None)
    assert first["data"]["quantity"] == 2


def test_dead_letters_are_redriven_as_if_they_had_never_failed() -> None:
    assert run(redrive_events.Command(), "--dry-run")[1] == "Would redrive 2 dead letters. Nothing was changed.\n"
    assert pending() == ["waiting"]

    assert run(redrive_events.Command()) == (0, "Redrove 2 dead letters.\n", "")

    assert pending() == ["waiting", "dead", "dead too"]
    redriven = OutboxEvent.objects.get(subject="dead")
    assert (redriven.attempts, redriven.dead_at) == (0, None)
    assert redriven.next_attempt_at <= timezone.now()
    assert run(redrive_events.Command())[1] == "Redrove 0 dead letters.\n"


def test_redriving_goes_by_type_and_time_of_death() -> None:
    assert run(redrive_events.Command(), "--since", "2026-11-02", "--type", CONFIRMED)[1] == "Redrove 0 dead letters.\n"
    assert run(redrive_events.Command(), "--since", "2026-11-02")[1] == "Redrove 1 dead letter.\n"
    assert pending() == ["waiting", "dead too"]


def test_only_what_was_sent_before_is_purged() -> None:
    record(*range(5))
    OutboxEvent.objects.filter(subject__in=["0", "1", "2", "3"]).update(sent_at=NOON)
    options = ("--before", "2026-11-02", "--batch", "2")

    foreseen = run(purge_events.Command(), *options, "--dry-run")[1]
    assert foreseen == "Would purge 5 events sent before 2026-11-02T00:00:00Z. Nothing was changed.\n"
    code, _, errors = run(purge_events.Command(), *options)  # no terminal to ask on
    assert code == 2
    assert errors.startswith("This deletes 5 events sent before 2026-11-02T00:00:00Z for good.")
    done = run(purge_events.Command(), *options, "--yes")
    assert done == (0, "Purged 5 events sent before 2026-11-02T00:00:00Z.\n", "")

    assert not outbox_events(state="sent").exists()
    assert OutboxEvent.objects.count() == 4


def test_a_signal_ends_a_purge_after_the_batch_in_hand() -> None:
    OutboxEvent.objects.update(sent_at=NOON, dead_at=None)
    command = purge_events.Command()
    command.stopping = True

    code, _, errors = run(command, "--before", "2026-11-02", "--batch", "1", "--yes")

    assert code == 1
    assert errors.startswith("Purged 1 event sent before 2026-11-02")
    assert errors.endswith("3 are left: stopped by a signal. Run it again to go on.\n")


@pytest.mark.parametrize("option", ["--before", "--older-than"])
def test_what_is_younger_than_a_day_is_not_purged(option: str) -> None:
    code, _, errors = _usage(option, timezone.now().isoformat() if option == "--before" else "23h")

    assert code == 2
    assert "less than 1d" in errors


def test_how_long_ago_is_said_as_a_duration_too() -> None:
    OutboxEvent.objects.update(sent_at=timezone.now() - timedelta(days=29), dead_at=None)
    OutboxEvent.objects.filter(subject="waiting").update(sent_at=timezone.now() - timedelta(days=31))

    code, output, _ = run(purge_events.Command(), "--older-than", "30d", "--yes")

    assert code == 0
    assert output.startswith("Purged 1 event sent before ")
    assert pending() == []
    assert OutboxEvent.objects.count() == 3


def _usage(*options: str) -> tuple[object, str, str]:
    from django.core.management.base import CommandError

    try:
        return run(purge_events.Command(), *options)
    except CommandError as error:  # as argparse's own complaint is raised within a test
        return 2, "", str(error)
