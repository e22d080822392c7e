"""purge_inbox deletes records of events and keeps their effects."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from events.cloudevents import read_event
from events.inbox.handler import handle_event
from events.inbox.management.commands.purge_inbox import Command
from events.inbox.models import InboxEvent
from events.tests import sold
from events.tests.made_events import confirmed
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db


def test_it_forgets_old_events_and_keeps_what_was_sold() -> None:
    for _ in range(3):
        handle_event(read_event(confirmed(quantity=2)))
    old = InboxEvent.objects.order_by("pk")[0]
    InboxEvent.objects.filter(pk=old.pk).update(taken_at=timezone.now() - timedelta(days=60))
    before = (timezone.now() - timedelta(days=30)).isoformat()

    code, output, _ = run(Command(), "--before", before, "--yes")

    assert code == 0
    assert output.startswith("Purged 1 event processed before 20")

    assert InboxEvent.objects.count() == 2
    assert sold.units() == 6
