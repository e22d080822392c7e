"""A probe has a deadline, is remembered for a moment, never runs twice at once; /readyz says what is missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, connections
from django.db.migrations.recorder import MigrationRecorder
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from ops.server import health
from ops.server.health import NotReady, Probe

NO_TIME = timedelta(0)


@pytest.fixture
def draining() -> Iterator[None]:
    health.start_draining()
    yield
    health._draining[0] = 0


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the probes have found so far."""
    health._migrated.clear()
    probes = (
        Probe("shutdown", health.probe_shutdown, cached_for=NO_TIME),
        Probe("database", health.probe_database, cached_for=NO_TIME),
        Probe("migrations", health.probe_migrations, cached_for=NO_TIME),
    )
    monkeypatch.setattr(health, "PROBES", probes)


def test_a_probe_that_hangs_fails_at_its_deadline_and_is_not_started_again() -> None:
    release, runs = threading.Event(), []

    def hang() -> None:
        runs.append(1)
        release.wait(30)

    probe = Probe("hanging", hang, deadline=timedelta(milliseconds=50), cached_for=NO_TIME)

    started = time.monotonic()
    assert [probe.verdict() for _ in range(3)] == ["no answer within 0.05 s"] * 3
    assert time.monotonic() - started < 10
    assert len(runs) == 1
    release.set()
    probe._finished.wait(10)
    assert probe.verdict() == "ok"
    assert len(runs) == 2


def test_a_probe_asked_by_many_at_once_runs_once() -> None:
    runs: list[int] = []

    def slow() -> None:
        runs.append(1)
        time.sleep(0.1)

    probe = Probe("slow", slow, cached_for=timedelta(seconds=60))
    verdicts: list[str] = []
    threads = [threading.Thread(target=lambda: verdicts.append(probe.verdict())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert verdicts == ["ok"] * 8
    assert len(runs) == 1


def test_a_verdict_is_remembered_for_a_moment_only() -> None:
    runs: list[int] = []
    probe = Probe("counted", lambda: runs.append(1), cached_for=timedelta(milliseconds=300))

    for _ in range(5):
        probe.verdict()
    assert len(runs) == 1
    time.sleep(0.4)
    probe.verdict()

    assert len(runs) == 2


def test_a_failure_names_its_kind_and_no_secret_and_is_logged_when_it_changes() -> None:
    failures: list[Exception] = [DatabaseError("password=hunter2"), DatabaseError("again"), NotReady("1 is missing")]

    def fail() -> None:
        if failures:
            raise failures.pop(0)

    probe = Probe("failing", fail, cached_for=NO_TIME)
    with capture_logs() as entries:
        verdicts = [probe.verdict() for _ in range(5)]

    assert verdicts == ["failed: DatabaseError", "failed: DatabaseError", "1 is missing", "ok", "ok"]
    assert [entry["verdict"] for entry in entries] == ["failed: DatabaseError", "1 is missing", "ok"]


@pytest.mark.django_db(transaction=True)
def test_a_service_on_a_migrated_database_is_ready(client: APIClient, fresh: None) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "probes": {"shutdown": "ok", "database": "ok", "migrations": "ok"},
    }


@pytest.mark.django_db(transaction=True)
def test_a_service_whose_migrations_are_pending_is_not_ready(client: APIClient, fresh: None) -> None:
    recorder = MigrationRecorder(connections["default"])
    recorder.record_unapplied("sessions", "0001_initial")

    answer = client.get("/readyz")
    recorder.record_applied("sessions", "0001_initial")

    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "1"
    body = answer.json()
    assert (body["code"], body["detail"]) == ("not_ready", "Not ready: migrations.")
    assert body["probes"]["migrations"] == "1 migrations are not applied"
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_service_is_not_ready_while_its_database_is_gone_and_ready_when_it_is_back(
    client: APIClient, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/readyz").status_code == 200
    backend = type(connections["default"])
    with monkeypatch.context() as patch:

        def refuse(*_: object, **__: object) -> None:
            raise DatabaseError("connection refused")

        patch.setattr(backend, "get_new_connection", refuse)
        answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["probes"] == {"shutdown": "ok", "database": "failed: DatabaseError", "migrations": "ok"}
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_service_that_was_told_to_stop_is_not_ready_but_healthy(
    client: APIClient, fresh: None, draining: None
) -> None:
    assert client.get("/readyz").json()["probes"]["shutdown"] == "shutting down"
    assert client.get("/healthz").content == b"OK"
