"""Staff look at the outbox in the admin and redrive dead letters there; they change nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from events.outbox.models import OutboxEvent
from ops.tests.clients import anonymous, staff

pytestmark = pytest.mark.django_db

LIST = "/admin/outbox/outboxevent/"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _one_of_each_state() -> None:
    states: dict[str, dict[str, Any]] = {
        "waits": {},
        "sent": {"sent_at": NOON},
        "dead": {"dead_at": NOON, "attempts": 20, "last_error": "answered 422"},
    }
    for subject, facts in states.items():
        OutboxEvent.objects.create(event_id=uuid4(), type="argos.test.v1", subject=subject, data={}, **facts)


def shown(query: str = "", client: APIClient | None = None) -> list[str]:
    page = (client or staff()).get(f"{LIST}{query}")
    assert page.status_code == 200, page.headers
    return [event.subject for event in page.context["cl"].result_list]


def redrive(client: APIClient) -> None:
    events = OutboxEvent.objects.values_list("pk", flat=True)
    form = "&".join(["action=redrive", *(f"_selected_action={pk}" for pk in events)])
    answer = client.post(LIST, data=form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code in (200, 302)


def looker(*permissions: str) -> APIClient:
    """Log in one of the staff with these permissions only."""
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = anonymous()
    client.force_login(user)
    return client


def test_events_are_found_by_their_state_their_id_and_their_subject() -> None:
    dead = OutboxEvent.objects.get(subject="dead")

    assert shown() == ["dead", "sent", "waits"]
    assert shown("?state=dead") == shown(f"?q={dead.event_id}") == shown("?q=dead") == ["dead"]
    assert shown("?state=pending") == ["waits"]
    assert "answered 422" in staff().get(LIST).content.decode()


def test_redriving_returns_dead_letters_to_the_relay_and_leaves_the_others() -> None:
    redrive(staff())

    assert shown("?state=pending") == ["dead", "waits"]
    assert shown("?state=sent") == ["sent"]
    assert OutboxEvent.objects.get(subject="dead").attempts == 0
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == ["Redriven."]


def test_one_who_may_only_look_redrives_nothing() -> None:
    client = looker("view_outboxevent")

    redrive(client)

    assert shown("?state=dead", client) == ["dead"]
    assert "redrive" not in client.get(LIST).content.decode()


def test_one_with_the_right_to_change_events_redrives_them() -> None:
    redrive(looker("view_outboxevent", "change_outboxevent"))

    assert shown("?state=dead") == []


@pytest.mark.parametrize("path", ["add/", "{}/change/", "{}/delete/"])
def test_nothing_is_added_changed_or_deleted(path: str) -> None:
    event = OutboxEvent.objects.get(subject="waits")

    answer = staff().post(
        LIST + path.format(event.pk), data="post=yes&type=x", content_type="application/x-www-form-urlencoded"
    )

    assert answer.status_code == 403
    assert OutboxEvent.objects.count() == 3
