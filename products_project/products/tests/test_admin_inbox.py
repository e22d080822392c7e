"""Staff look at the events that have taken effect, read-only, in an admin that says which service it is."""

from __future__ import annotations

import pytest

from events.inbox.models import InboxEvent
from ops.tests.clients import staff

pytestmark = pytest.mark.django_db

LIST = "/admin/inbox/inboxevent/"


def test_events_are_listed_and_found_by_their_id() -> None:
    for name in ("one", "two"):
        InboxEvent.objects.create(source="/orders-service", event_id=name, type="argos.test.v1")

    page = staff().get(f"{LIST}?q=one")

    assert [event.event_id for event in page.context["cl"].result_list] == ["one"]
    assert "| Products administration</title>" in page.content.decode()
    assert "list_dead_letters" in page.content.decode()


def test_nothing_is_added() -> None:
    assert (
        staff().post(f"{LIST}add/", data="type=x", content_type="application/x-www-form-urlencoded").status_code == 403
    )
