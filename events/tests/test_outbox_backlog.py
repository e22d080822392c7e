"""/metrics has the lag of the relay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from events.outbox.models import OutboxEvent
from events.tests.event_peer import send_to
from events.tests.recorded_events import record
from ops.telemetry.backlog import backlog
from ops.tests.clients import anonymous

pytestmark = pytest.mark.django_db(transaction=True)  # /metrics reads over a connection of its own


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    backlog.forget()
    yield
    backlog.forget()


def gauges() -> dict[str, float]:
    text = anonymous().get("/metrics").content.decode()
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("outbox_")
    }


def test_an_empty_outbox_is_no_backlog() -> None:
    assert gauges() == {
        "outbox_events_pending": 0,
        "outbox_oldest_pending_age_seconds": 0,
        "outbox_events_dead": 0,
    }


def test_it_counts_what_waits_and_what_is_dead_and_how_old_it_is(settings: LazySettings) -> None:
    send_to(settings, "http://127.0.0.1:1/events")
    record(1, 2, 3)
    OutboxEvent.objects.filter(subject="1").update(time=timezone.now() - timedelta(hours=1))
    OutboxEvent.objects.filter(subject="3").update(dead_at=timezone.now())

    found = gauges()

    assert (found["outbox_events_pending"], found["outbox_events_dead"]) == (2, 1)
    assert 3600 <= found["outbox_oldest_pending_age_seconds"] < 4200


def test_while_nothing_is_to_be_sent_nothing_is_late() -> None:
    record(1)
    OutboxEvent.objects.update(time=timezone.now() - timedelta(hours=1))

    assert gauges()["outbox_events_pending"] == 1
    backlog.forget()
    assert gauges()["outbox_oldest_pending_age_seconds"] == 0
