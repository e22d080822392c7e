"""doctor on one service: its findings and exit codes."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pydantic import Field

from ops.config.service import HttpUrl
from ops.diagnosis.database import judge_clocks, judge_connections
from ops.diagnosis.machine import DISK_FAILURE, DISK_WARNING, judge_disk
from ops.diagnosis.probe import LEVELS, Probe, examine, ok
from ops.diagnosis.registry import probes
from ops.management.commands.doctor import Command
from ops.tests.peers import answering, refused, silent
from ops.tests.run_command import run
from ops.tests.service_tokens import key_pair
from ops.tests.settings import CONFIG, PlainConfig

pytestmark = pytest.mark.django_db(transaction=True)


class CallingConfig(PlainConfig):
    """A service that calls another one."""

    peer_url: HttpUrl = Field(
        "http://localhost:1", json_schema_extra={"probe": "/healthz", "contract": "GET /things/{id}"}
    )


def doctor(config_class: type[PlainConfig], *options: str) -> tuple[object, dict[str, list[dict[str, str]]]]:
    """Run the command with --json; return its exit code and its findings by check."""
    code, output, _ = run(Command(config_class), "--json", *options)
    found: dict[str, list[dict[str, str]]] = {}
    for line in json.loads(output)["checks"]:
        found.setdefault(line.pop("id"), []).append(line)
    return code, found


def only(found: dict[str, list[dict[str, str]]], check: str) -> tuple[str, str]:
    """Return level and text of a check with one finding."""
    (finding,) = found[check]
    return finding["level"], finding["says"]


def test_a_sound_service_is_ok_in_every_check_even_strictly() -> None:
    code, found = doctor(PlainConfig, "--strict")

    assert list(found) == [probe.id for probe in probes(CONFIG)]
    assert [finding for findings in found.values() for finding in findings if finding["level"] != "ok"] == []
    assert code == 0


def test_for_people_it_is_a_line_a_check_and_a_closing_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMAND_METRICS_DIR", "/proc/nowhere")

    code, output, errors = run(Command(PlainConfig))

    *lines, advice, last = output.splitlines()
    assert (code, errors) == (0, "")
    assert [line.split()[1] for line in lines] == [probe.id for probe in probes(CONFIG)]
    assert lines[-1].startswith("warning  telemetry.command_metrics  /proc/nowhere: No such file or directory")
    assert advice.strip() == "Make COMMAND_METRICS_DIR a folder that this user may write."
    assert last == f"plain-service: {len(probes(CONFIG)) - 1} ok, 1 warning, 0 failures."


def test_a_warning_ends_with_1_only_when_it_is_to_be_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGLEVEL", "debug")

    relaxed, found = doctor(PlainConfig)
    strict, _ = doctor(PlainConfig, "--strict")

    assert (relaxed, strict) == (0, 1)
    assert only(found, "configuration.sound") == ("warning", "LOGLEVEL is not a variable")


def test_on_a_faulty_environment_each_fault_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("DATABASE_URL", "mysql://me:canary@db/x")

    code, output, errors = run(Command(PlainConfig))

    assert code == 1
    assert [line.split()[:3] for line in output.splitlines() if line.startswith("failure")] == [
        ["failure", "configuration.sound", "DATABASE_URL:"],
        ["failure", "configuration.sound", "PORT:"],
    ]
    assert errors == "plain-service: 0 ok, 0 warnings, 2 failures. Everything else needs a sound environment.\n"
    assert "canary" not in output


def test_a_database_that_is_away_is_one_failure_and_what_rests_on_it_is_not_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    where = {"sqlite": ("NAME", str(tmp_path / "gone.sqlite3")), "postgresql": ("NAME", "gone")}
    connection.close()
    monkeypatch.setitem(connection.settings_dict, *where[connection.vendor])
    if connection.vendor == "postgresql":
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "pool", False)

    code, found = doctor(PlainConfig)

    level, says = only(found, "database.reachable")
    assert (code, level) == (1, "failure")
    assert "gone" in says
    assert "does not exist" in says
    for check in ("database.migrated", "database.clock", "database.connections"):
        assert only(found, check) == ("warning", "not known")
    assert not (tmp_path / "gone.sqlite3").exists()


def test_a_pending_migration_is_a_failure_and_an_unknown_one_a_warning() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("sessions", "0001_initial")
    recorder.record_applied("sessions", "0099_of_the_next_release")
    try:
        code, found = doctor(PlainConfig)
    finally:
        recorder.record_applied("sessions", "0001_initial")
        recorder.record_unapplied("sessions", "0099_of_the_next_release")

    assert code == 1
    assert [(line["level"], line["says"]) for line in found["database.migrated"]] == [
        ("failure", "sessions.0001_initial not applied"),
        ("warning", "sessions.0099_of_the_next_release applied that this release does not know"),
    ]


def test_a_history_that_contradicts_itself_is_a_failure() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("auth", "0001_initial")
    try:
        _, found = doctor(PlainConfig)
    finally:
        recorder.record_applied("auth", "0001_initial")

    level, says = only(found, "database.migrated")
    assert level == "failure"
    assert "before its dependency auth.0001_initial" in says


@pytest.mark.parametrize(
    ("ahead", "level"),
    [(0, "ok"), (0.9, "ok"), (1.1, "warning"), (-29.0, "warning"), (31.0, "failure"), (-40, "failure")],
)
def test_clocks_may_differ_by_a_second_and_by_half_a_minute_at_the_most(ahead: float, level: str) -> None:
    assert LEVELS[judge_clocks(timedelta(seconds=ahead)).level] == level


@pytest.mark.parametrize(
    ("used", "own", "level"), [(80, 6, "ok"), (81, 6, "warning"), (100, 6, "failure"), (3, 101, "failure")]
)
def test_connections_must_not_run_out(used: int, own: int, level: str) -> None:
    assert LEVELS[judge_connections(used, 100, own).level] == level


@pytest.mark.parametrize(
    ("free", "level"), [(DISK_WARNING, "ok"), (DISK_WARNING - 1, "warning"), (DISK_FAILURE - 1, "failure")]
)
def test_a_disk_needs_room(free: int, level: str) -> None:
    assert LEVELS[judge_disk("/var", free).level] == level


def test_the_temporary_folder_must_take_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/1")

    _, found = doctor(PlainConfig)

    assert only(found, "disk.temporary")[0] == "failure"


def test_the_folder_of_a_sqlite_file_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(connection.settings_dict, "ENGINE", "ops.database.sqlite3")
    levels = []
    for name in (tmp_path / "shop.sqlite3", tmp_path / "gone" / "shop.sqlite3", Path("/proc/shop.sqlite3")):
        monkeypatch.setitem(connection.settings_dict, "NAME", str(name))
        levels.append(
            {LEVELS[found.level] for probe, found in examine(CONFIG, probes(CONFIG)) if probe.id == "disk.database"}
        )

    assert levels[0] == {"ok"}
    assert levels[1] == {"failure"}
    assert "failure" in levels[2]


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Path:
    """Use production settings with static files in this folder."""
    monkeypatch.setenv("DJANGO_ENV", "production")
    monkeypatch.setenv("SECRET_KEY", "5f0c6f9e1b7d4a83c2e65d90b1f8a7e43c9d2b6f8e1a4c7d")
    for name, value in key_pair("plain-service").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", "sqlite:////tmp/argos-ops-tests.sqlite3")
    settings.STATIC_ROOT = str(tmp_path)
    (tmp_path / "staticfiles.json").write_text('{"paths": {"a.css": "a.1.css", "b.css": "b.2.css"}}')
    (tmp_path / "a.1.css").write_text("")
    (tmp_path / "b.2.css").write_text("")
    return tmp_path


def test_in_production_djangos_deployment_checks_are_run(production: Path, settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 0
    settings.DEBUG = True

    _, found = doctor(PlainConfig)

    levels = {line["says"].partition(":")[0]: line["level"] for line in found["django.checks"]}
    assert levels["security.W004"] == "warning"
    assert levels["ops.E005"] == "failure"


def test_in_production_a_missing_static_file_is_a_failure(production: Path) -> None:
    complete = doctor(PlainConfig)[1]
    (production / "b.2.css").unlink()
    incomplete = doctor(PlainConfig)[1]
    (production / "staticfiles.json").write_text("{")
    damaged = doctor(PlainConfig)[1]

    assert only(complete, "static.collected") == ("ok", f"2 files in {production}")
    assert only(incomplete, "static.collected") == ("failure", "1 of 2 files are missing, such as b.2.css")
    assert only(damaged, "static.collected")[0] == "failure"


@pytest.mark.parametrize(
    ("variables", "levels"),
    [
        ({}, ["ok"]),
        ({"SECRET_KEY": "abcdefgh" * 5}, ["warning"]),
        ({"SERVICE_TOKEN": "abcdefgh" * 5}, ["warning"]),
        ({"SECRET_KEY": "0123456789abcdef" * 3, "SERVICE_TOKEN": "0123456789abcdef" * 3}, ["failure"]),
        ({"DATABASE_URL": "postgres://me:sunny-shop7@db/shop"}, ["warning"]),
        (
            {"SECRET_KEY": "0123456789abcdef" * 3, "DATABASE_URL": f"postgres://me:{'0123456789abcdef' * 3}@db/shop"},
            ["failure"],
        ),
    ],
)
def test_in_production_secrets_must_be_random(
    production: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], levels: list[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    _, found = doctor(PlainConfig)

    assert [line["level"] for line in found["secrets.strong"]] == levels
    assert not any(value in str(found["secrets.strong"]) for value in variables.values())


def test_in_development_it_says_which_secrets_production_would_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "SERVICE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgres://me:postgres@db/shop")

    _, found = doctor(PlainConfig)

    said = "development; production would refuse SECRET_KEY, SERVICE_KEY, DATABASE_URL"
    assert only(found, "secrets.strong") == ("ok", said)


@pytest.mark.parametrize(
    ("document", "level", "says"),
    [
        (
            {"info": {"title": "Things", "version": "v7"}, "paths": {"/things/{thing_id}": {"get": {}}}},
            "ok",
            "Things v7 has",
        ),
        ({"paths": {"/things/{id}": {"post": {}}}}, "failure", "has no GET /things/{id}"),
        (["no document"], "failure", "/openapi.json answers no OpenAPI document"),
    ],
)
def test_the_peers_contract_must_have_what_this_service_calls(
    monkeypatch: pytest.MonkeyPatch, document: object, level: str, says: str
) -> None:
    with answering(200, body=json.dumps(document)) as (url, asked):
        monkeypatch.setenv("PEER_URL", url)
        _, found = doctor(CallingConfig)

    assert only(found, "peer.healthy") == ("ok", "PEER_URL: answers")
    assert only(found, "peer.contract")[0] == level
    assert says in only(found, "peer.contract")[1]
    assert sorted(asked) == ["GET /healthz", "GET /openapi.json"]


def test_a_peer_that_is_down_is_one_failure_and_its_contract_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    url = refused()
    monkeypatch.setenv("PEER_URL", url)

    code, found = doctor(CallingConfig)

    assert code == 1
    assert only(found, "peer.healthy") == ("failure", "PEER_URL: Connection refused")
    assert only(found, "peer.contract") == ("warning", "not known")


def test_telemetry_that_does_not_answer_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200) as (gateway, _):
        monkeypatch.setenv("PUSHGATEWAY_URL", gateway)
        monkeypatch.setenv("JAEGER_ENDPOINT", f"{refused()}/v1/traces")
        code, found = doctor(PlainConfig)

    assert code == 0
    assert [(line["level"], line["says"]) for line in found["telemetry.reachable"]] == [
        ("ok", "PUSHGATEWAY_URL: answers"),
        ("warning", "JAEGER_ENDPOINT: Connection refused"),
    ]


def test_everything_silent_takes_no_longer_than_the_longest_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent() as peer, silent() as collector:
        monkeypatch.setenv("PEER_URL", peer)
        monkeypatch.setenv("JAEGER_ENDPOINT", f"{collector}/v1/traces")
        started = time.monotonic()
        code, found = doctor(CallingConfig)

    assert code == 1
    assert time.monotonic() - started < 2 * Probe.deadline.total_seconds()
    assert only(found, "peer.healthy")[0] == "failure"
    assert only(found, "telemetry.reachable")[0] == "warning"


def test_each_probe_has_a_deadline_of_its_own_and_a_crash_is_a_line() -> None:
    def sleep(_: object) -> list[CheckMessage]:
        time.sleep(30)
        return []

    def crash(_: object) -> list[CheckMessage]:
        raise ZeroDivisionError("by accident")

    asked = (
        Probe("a.silent", sleep, "Wait.", deadline=timedelta(milliseconds=100)),
        Probe("a.crash", crash, "Report it."),
        Probe("a.fine", lambda _: [ok("fine")], ""),
    )

    found = [(message.id, LEVELS[message.level], message.msg, message.hint) for _, message in examine(CONFIG, asked)]

    assert found == [
        ("a.silent", "failure", "no answer within 0.1 s", "Wait."),
        ("a.crash", "failure", "by accident", "Report it."),
        ("a.fine", "ok", "fine", None),
    ]
