"""A probe has a deadline, is cached, and never runs twice at once; /readyz names the failed ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.db import DatabaseError, connections
from django.db.migrations.recorder import MigrationRecorder
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from ops.diagnosis.probe import Probe, failure
from ops.diagnosis.registry import MIGRATED, REACHABLE
from ops.diagnosis.remembered import RememberedProbe
from ops.server import health

NO_TIME = timedelta(0)


def remembered(name: str, run: Callable[[], None], **options: Any) -> RememberedProbe:
    """Return a probe that passes if `run` returns."""

    def ask(_: object) -> list[CheckMessage]:
        run()
        return []

    return RememberedProbe(name, Probe(f"test.{name}", ask, ""), **options)


@pytest.fixture
def draining() -> Iterator[None]:
    health.start_draining()
    yield
    health._draining[0] = 0


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the cached results of the probes."""
    probes = (
        RememberedProbe("shutdown", health.SHUTDOWN, cached_for=NO_TIME),
        RememberedProbe("database", REACHABLE, cached_for=NO_TIME),
        RememberedProbe("migrations", MIGRATED, cached_for=NO_TIME, stays=True),
    )
    monkeypatch.setattr(health, "PROBES", probes)


def test_a_probe_that_hangs_fails_at_its_deadline_and_is_not_started_again() -> None:
    release, runs = threading.Event(), []

    def hang() -> None:
        runs.append(1)
        release.wait(30)

    probe = remembered("hanging", hang, deadline=timedelta(milliseconds=50), cached_for=NO_TIME)

    started = time.monotonic()
    assert [probe.result() for _ in range(3)] == ["no answer within 0.05 s"] * 3
    assert time.monotonic() - started < 10
    assert len(runs) == 1
    release.set()
    assert probe._asked is not None
    wait([probe._asked], 10)
    assert probe.result() == "ok"
    assert len(runs) == 2


def test_a_probe_asked_by_many_at_once_runs_once() -> None:
    runs: list[int] = []

    def slow() -> None:
        runs.append(1)
        time.sleep(0.1)

    probe = remembered("slow", slow, cached_for=timedelta(seconds=60))
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(probe.result())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == ["ok"] * 8
    assert len(runs) == 1


def test_a_verdict_is_remembered_for_a_moment_only() -> None:
    runs: list[int] = []
    probe = remembered("counted", lambda: runs.append(1), cached_for=timedelta(milliseconds=300))

    for _ in range(5):
        probe.result()
    assert len(runs) == 1
    time.sleep(0.4)
    probe.result()

    assert len(runs) == 2


def test_a_failure_names_its_kind_and_no_secret_and_is_logged_when_it_changes() -> None:
    failures: list[Exception] = [DatabaseError("password=hunter2"), DatabaseError("again")]
    findings = [[failure("1 is missing", "")], []]

    def fail(_: object) -> list[CheckMessage]:
        if failures:
            raise failures.pop(0)
        return findings.pop(0)

    probe = RememberedProbe("failing", Probe("test.failing", fail, ""), cached_for=NO_TIME)
    with capture_logs() as entries:
        results = [probe.result() for _ in range(4)]

    assert results == ["failed: DatabaseError", "failed: DatabaseError", "1 is missing", "ok"]
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
    assert body["probes"]["migrations"] == "sessions.0001_initial not applied"
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
