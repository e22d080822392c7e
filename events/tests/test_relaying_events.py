"""The relay sends events at least once and in order for each subject; a failed one does not delay others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from structlog.testing import capture_logs

from events.outbox import queue
from events.outbox.management.commands.relay_events import Command
from events.outbox.models import OutboxEvent
from events.outbox.relay import relay_batch
from events.tests.event_peer import EventPeer, event_peer, send_to
from events.tests.recorded_events import due_now, pending, record
from events.transports.factory import open_transport
from ops.tests.peers import refused, silent
from ops.tests.raw_peer import CERTIFICATE, RawPeer, raw_peer
from ops.tests.run_command import run
from ops.tests.service_tokens import claims_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def peer(settings: LazySettings) -> Iterator[EventPeer]:
    with event_peer() as here:
        send_to(settings, here.url)
        yield here


def relay(*options: str) -> tuple[object, str, str]:
    return run(Command(), "--once", *options)


def failing(*subjects: str, status: int = 500) -> Any:
    """Answer these subjects with a failure."""
    return lambda event: status if event["subject"] in subjects else 204


def test_events_are_posted_in_their_order_as_cloudevents_with_a_token(peer: EventPeer) -> None:
    record(3, 1, 2)

    assert relay("--batch", "2") == (0, "Sent 3 events.\n", "")

    assert peer.subjects == ["3", "1", "2"]
    assert peer.headers[0]["Content-Type"] == "application/cloudevents+json"
    assert claims_of(peer.headers[0]["Authorization"], "shop-service")["aud"] == "products-service"
    assert peer.taken[0]["source"] == "/shop-service"
    assert pending() == []


def test_what_was_sent_is_not_sent_again(peer: EventPeer) -> None:
    record(1)
    relay()

    assert relay() == (0, "Sent 0 events.\n", "")
    assert peer.subjects == ["1"]


def test_events_of_one_subject_are_sent_in_order_however_small_the_batches(peer: EventPeer) -> None:
    for kind in ("first", "second", "third"):
        record(1, 2, kind=f"argos.{kind}")

    assert relay("--batch", "1")[0] == 0

    for subject in ("1", "2"):
        kinds = [event["type"] for event in peer.taken if event["subject"] == subject]
        assert kinds == ["argos.first", "argos.second", "argos.third"]


def test_a_failing_event_holds_back_only_later_events_of_its_subject(peer: EventPeer) -> None:
    record(1, 2, 1, 3)
    peer.answer = failing("1")

    code, _, errors = relay()

    assert code == 1
    assert errors.startswith("Sent 2 events; ")
    assert peer.subjects == ["2", "3"]
    assert pending() == ["1", "1"]
    failed = OutboxEvent.objects.filter(subject="1").order_by("position")[0]
    assert failed.attempts >= 1
    assert failed.last_error == "answered 500"


def test_it_is_tried_again_and_then_its_subject_goes_on(peer: EventPeer) -> None:
    record(1, 1)
    peer.answer = failing("1")
    relay()
    peer.answer = failing()
    due_now()

    assert relay() == (0, "Sent 2 events.\n", "")

    assert peer.subjects == ["1", "1"]


def test_after_enough_failures_it_is_a_dead_letter_that_still_holds_back_its_subject(
    peer: EventPeer, settings: LazySettings
) -> None:
    send_to(settings, peer.url, events_max_attempts=3)
    record(1, 1, 2)
    peer.answer = failing("1", status=422)

    for _ in range(4):
        relay()
        due_now()

    dead = OutboxEvent.objects.get(dead_at__isnull=False)
    assert (dead.subject, dead.attempts, dead.last_error) == ("1", 3, "answered 422")
    assert pending() == ["1"]
    assert peer.subjects == ["2"]


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 502, 503])
def test_what_is_the_other_sides_fault_counts_against_no_event(peer: EventPeer, status: int) -> None:
    record(1, 2)
    peer.answer = failing("1", "2", status=status)

    code, _, errors = relay()

    assert code == 1
    assert f"answered {status}" in errors
    assert list(OutboxEvent.objects.values_list("attempts", "last_error")) == [(0, ""), (0, "")]
    peer.answer = failing()
    assert relay() == (0, "Sent 2 events.\n", "")  # at once: they were given back


def test_nobody_listening_counts_against_no_event(settings: LazySettings) -> None:
    send_to(settings, refused())
    record(1)

    code, _, errors = relay()

    assert code == 1
    assert "ConnectionRefusedError" in errors
    assert OutboxEvent.objects.get().attempts == 0


def test_no_answer_in_time_counts_against_the_event_and_leaves_the_others(settings: LazySettings) -> None:
    with silent() as url:
        send_to(settings, url, events_timeout=0.2)
        record(1, 2)

        assert relay()[0] == 1

    assert list(OutboxEvent.objects.order_by("position").values_list("attempts", flat=True)) == [1, 0]
    assert pending() == ["1", "2"]


def test_without_an_events_url_they_wait_and_once_says_so() -> None:
    record(1, 2)

    assert relay() == (0, "EVENTS_URL is unset: 2 events wait in the outbox.\n", "")
    code, _, errors = run(Command())

    assert (code, errors) == (2, "EVENTS_URL is unset: the relay has no receiver.\n")
    assert pending() == ["1", "2"]


def test_what_one_relay_holds_another_leaves_until_the_lease_is_over(peer: EventPeer) -> None:
    record(1, 2, 1)
    held = queue.claim(limit=1, lease=600)

    assert relay() == (0, "Sent 1 event.\n", "")
    assert peer.subjects == ["2"]

    due_now()  # as if ten minutes had passed
    assert relay() == (0, "Sent 2 events.\n", "")
    assert [one.event.subject for one in held] == ["1"]


def test_a_late_failure_of_a_relay_that_lost_its_lease_undoes_nothing(peer: EventPeer) -> None:
    record(1)
    (late,) = queue.claim(limit=1, lease=600)
    due_now()
    relay()

    queue.mark_failed(late, error="late", retry_in=0, dead=True)
    queue.release([late])

    event = OutboxEvent.objects.get()
    assert event.sent_at is not None
    assert (event.attempts, event.dead_at) == (0, None)


def test_a_signal_ends_a_batch_between_two_events_and_gives_back_the_rest(
    peer: EventPeer, settings: LazySettings
) -> None:
    record(1, 2, 3)
    transport = open_transport(settings.CONFIG)
    assert transport is not None

    done = relay_batch(transport, limit=10, lease=30, max_attempts=3, stopping=lambda: len(peer.taken) == 1)
    transport.close()

    assert (done.claimed, done.sent) == (3, 1)
    assert relay() == (0, "Sent 2 events.\n", "")


@pytest.mark.django_db(transaction=True)
def test_relays_at_once_skip_what_another_is_claiming() -> None:
    record(*range(1, 7))
    if connection.vendor != "postgresql":  # where one statement follows the other
        first, second = queue.claim(limit=3, lease=30), queue.claim(limit=10, lease=30)
        assert [one.event.subject for one in first + second] == ["1", "2", "3", "4", "5", "6"]
        return
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM outbox_outboxevent WHERE subject IN ('1', '4') FOR UPDATE")

        claimed = queue.claim(limit=10, lease=30)

        cursor.execute("ROLLBACK")
    other.close()
    assert [one.event.subject for one in claimed] == ["2", "3", "5", "6"]


def test_each_new_reason_of_an_outage_is_logged_once(peer: EventPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = iter([401, 401, 503, 503, 204])
    peer.answer = lambda event: next(statuses)
    command = Command()
    monkeypatch.setattr(command, "pause", lambda _: setattr(command, "stopping", bool(peer.taken)))
    record(1)

    with capture_logs() as logs:
        run(command)

    reasons = [line["reason"].split(" ", 1)[1] for line in logs if line["event"] == "relay.held_up"]
    assert reasons == ["answered 401", "answered 503"]
    assert peer.subjects == ["1"]


def test_they_are_posted_over_tls_to_a_receiver_of_a_private_authority(settings: LazySettings) -> None:
    def accept(server: RawPeer, sock: socket.socket) -> None:
        server.requests.append(sock.recv(65_536))
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    record(1)
    with raw_peer(accept, tls=True) as server:
        send_to(settings, server.url("https"))
        code, _, errors = relay()
        assert code == 1
        assert "SSLCertVerificationError" in errors

        due_now()
        send_to(settings, server.url("https"), peer_ca_bundle=str(CERTIFICATE))
        assert relay() == (0, "Sent 1 event.\n", "")
    assert server.requests[0].startswith(b"POST / HTTP/1.1\r\n")
