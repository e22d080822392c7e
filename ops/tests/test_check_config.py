"""check_config on a valid environment: its checks and exit codes."""

from __future__ import annotations

import contextlib
import json
import re
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pydantic import Field

from ops.config.service import HttpUrl
from ops.management.commands.check_config import CONNECT_DEADLINE, Command
from ops.tests.peers import answering, refused, silent
from ops.tests.settings import PlainConfig

pytestmark = pytest.mark.django_db(transaction=True)


class CallingConfig(PlainConfig):
    """A service that calls another one."""

    peer_url: HttpUrl = Field("http://localhost:1", json_schema_extra={"probe": "/healthz"})


def check(*options: str) -> tuple[int, dict[str, Any]]:
    """Run the command with --json; return its exit code and its object."""
    output = StringIO()
    code: object = 0
    try:
        call_command(Command(CallingConfig), "--json", *options, stdout=output)
    except SystemExit as ended:
        code = ended.code
    assert isinstance(code, int)
    return code, json.loads(output.getvalue())


def test_it_says_of_each_variable_what_it_holds_and_where_that_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_THREADS", "7")

    code, report = check()

    assert code == 0
    assert {"name": "WEB_THREADS", "value": "7", "origin": "environment", "verdict": "ok"} in report["variables"]
    assert {"name": "PORT", "value": "3000", "origin": "default", "verdict": "ok"} in report["variables"]
    assert len(report["variables"]) == len(CallingConfig.model_fields)


def test_it_reports_all_faults_and_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("PEER_URL", "y")

    code, report = check("--connect", "--deploy")

    assert code == 2
    assert [problem.split(":")[0] for problem in report["problems"]] == ["PEER_URL", "PORT"]
    assert "connections" not in report
    assert report["summary"].endswith("--connect and --deploy need a sound environment.")


def test_it_names_a_likely_typo_and_still_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGLEVEL", "debug")

    code, report = check()

    assert code == 0
    assert report["typos"] == {"LOGLEVEL": "LOG_LEVEL"}


def test_for_people_it_prints_a_line_for_each_variable_and_a_closing_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGLEVEL", "debug")
    output, errors = StringIO(), StringIO()

    call_command(Command(CallingConfig), stdout=output, stderr=errors)

    *lines, last = output.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == [name.upper() for name in CallingConfig.model_fields]
    assert last.startswith("The environment of plain-service is sound")
    assert "LOGLEVEL is not a variable of plain-service: did you mean LOG_LEVEL?" in errors.getvalue()


def printed(*options: str) -> list[str]:
    """Return the variables that the command prints for people."""
    output = StringIO()
    with contextlib.suppress(SystemExit):
        call_command(Command(CallingConfig), *options, stdout=output, stderr=StringIO())
    return re.findall(r"^([A-Z_]+)  ", output.getvalue(), flags=re.MULTILINE)


def test_changed_prints_only_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CallingConfig.variables():
        monkeypatch.delenv(name, raising=False)
    assert printed("--changed") == []

    monkeypatch.setenv("WEB_THREADS", "7")

    assert printed("--changed") == ["WEB_THREADS"]
    assert [line["name"] for line in check("--changed")[1]["variables"]] == ["WEB_THREADS"]


def test_a_fault_is_not_lost_among_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CallingConfig.variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DJANGO_ENV", "production")
    monkeypatch.setenv("PORT", "x")

    assert printed() == ["DJANGO_ENV", "SECRET_KEY", "SERVICE_KEY", "SERVICE_KEYS", "PORT", "DATABASE_URL"]


def test_connect_tries_the_database_the_peer_and_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200) as (peer, asked), answering(200) as (collector, received):
        monkeypatch.setenv("PEER_URL", peer)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)

        code, report = check("--connect")

    assert report["connections"] == {"DATABASE_URL": "answers", "PEER_URL": "answers", "JAEGER_ENDPOINT": "answers"}
    assert code == 0
    assert asked == ["GET /healthz"]
    assert received == ["POST /v1/traces"]


def test_connect_says_what_each_thing_answered_instead_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(404) as (collector, _):
        monkeypatch.setenv("PEER_URL", refused())
        monkeypatch.setenv("JAEGER_ENDPOINT", f"{collector}/v1/traces")

        code, report = check("--connect")

    assert code == 1
    assert report["connections"] == {
        "DATABASE_URL": "answers",
        "PEER_URL": "Connection refused",
        "JAEGER_ENDPOINT": "answers 404",
    }
    assert report["problems"] == ["PEER_URL: Connection refused", "JAEGER_ENDPOINT: answers 404"]


def test_connect_waits_for_all_silent_services_together_only_as_long_as_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with silent() as peer, silent() as collector:
        monkeypatch.setenv("PEER_URL", peer)
        monkeypatch.setenv("JAEGER_ENDPOINT", collector)
        started = time.monotonic()

        code, report = check("--connect")

    assert code == 1
    assert time.monotonic() - started < 2 * CONNECT_DEADLINE
    assert report["connections"]["PEER_URL"].startswith("no answer")
    assert report["connections"]["JAEGER_ENDPOINT"].startswith("no answer")


def test_deploy_adds_djangos_checks(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 0
    settings.SILENCED_SYSTEM_CHECKS = ["security.W008"]

    code, report = check("--deploy")

    assert code == 1
    assert "SECURE_HSTS_SECONDS" in report["checks"]["security.W004"]
    assert "security.W008" not in report["checks"]
