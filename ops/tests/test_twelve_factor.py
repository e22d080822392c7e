"""twelve_factor: the evidence of each factor, and how it fails."""

from __future__ import annotations

import json
import signal
from importlib import metadata
from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from django.db import connection
from django.test import override_settings
from pydantic import Field

from ops.config.service import HttpUrl
from ops.diagnosis.probe import LEVELS
from ops.management import factors
from ops.management.commands import run_nightly
from ops.management.commands.twelve_factor import Command
from ops.tests.peers import answering, refused
from ops.tests.run_command import run
from ops.tests.settings import CONFIG, PlainConfig

pytestmark = pytest.mark.django_db(transaction=True)

NUMERALS = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]
PRODUCTION = {
    "DJANGO_ENV": "production",
    "SECRET_KEY": "k" * 20 + "0123456789abcdefghij",
    "SERVICE_TOKEN": "t" * 20 + "0123456789abcdefghij",
    "ALLOWED_HOSTS": "shop.internal",
    "DATABASE_URL": "sqlite:////tmp/argos.sqlite3",
}


class LockedConfig(PlainConfig):
    """A service whose locked requirements are those of every service: requirements/base.txt."""

    service = "base-service"


class CallingConfig(PlainConfig):
    """A service that calls another one."""

    peer_url: HttpUrl = Field("http://localhost:1", json_schema_extra={"probe": "/healthz"})


def in_production(**more: str) -> PlainConfig:
    config = PlainConfig.read(PRODUCTION | more).config
    assert config
    return config


def said(found: list[CheckMessage]) -> list[tuple[str, str]]:
    return [(LEVELS[message.level], message.msg) for message in found]


def test_every_factor_has_its_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200) as (url, asked):
        monkeypatch.setenv("PORT", url.rpartition(":")[2])
        code, output, _ = run(Command(LockedConfig), "--json")

    checks = json.loads(output)["checks"]
    assert list(dict.fromkeys(check["id"].split(".")[0] for check in checks)) == NUMERALS
    assert code == 0
    gaps = {check["id"] for check in checks if check["level"] != "ok"}
    assert gaps == (set() if connection.vendor == "postgresql" else {"X.dev_prod_parity"})
    assert asked == ["GET /healthz"]


def test_a_gap_fails_only_when_it_is_to_be_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", refused().rpartition(":")[2])

    relaxed, output, _ = run(Command(LockedConfig))
    strict, *_ = run(Command(LockedConfig), "--strict")

    assert "warning  VII.port_binding           PORT: Connection refused" in output
    assert (relaxed, strict) == (0, 1)


def test_a_backing_service_that_does_not_answer_is_a_failure() -> None:
    config = CallingConfig.read({"PEER_URL": refused()}).config
    assert config

    found = said(list(factors.backing_services(config)))

    assert ("ok", "DATABASE_URL: ") in [(level, says[:14]) for level, says in found]
    assert ("failure", "PEER_URL: Connection refused") in found


def test_production_without_a_version_has_no_codebase() -> None:
    assert said(list(factors.codebase(in_production()))) == [
        ("failure", "SERVICE_VERSION is unset: nothing says which revision runs")
    ]
    assert said(list(factors.codebase(in_production(SERVICE_VERSION="v1")))) == [("ok", "plain-service v1, production")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("django==1.0 \\\n    --hash=sha256:0\n", f"django is {metadata.version('django')}, not 1.0"),
        ("no-such-package==1.0 \\\n    --hash=sha256:0\n", "no-such-package is missing, not 1.0"),
        (f"django=={metadata.version('django')}\n", "1 of 1 requirements of some.txt have no hash"),
        ("# nothing\n", "0 of 0 requirements of some.txt have no hash"),
    ],
)
def test_a_requirement_that_is_not_installed_as_locked_is_a_failure(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "some.txt").write_text(line)

    assert ("failure", says) in said(list(factors.compared(tmp_path / "some.txt")))


def test_a_requirement_of_another_platform_need_not_be_installed(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("no-such-package==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:0\n")

    assert said(list(factors.compared(tmp_path / "some.txt"))) == [("ok", "1 requirements of some.txt, with hashes")]


def test_sessions_outside_of_the_database_are_state_of_a_process() -> None:
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.cache"):
        assert said(list(factors.stateless_processes(CONFIG))) == [
            ("failure", "sessions are in django.contrib.sessions.backends.cache")
        ]


def test_a_loop_of_one_run_at_a_time_does_not_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_nightly.Command, "exclusive", True)

    assert ("failure", "run_nightly allows one run at a time") in said(list(factors.concurrency(CONFIG)))


def test_a_process_that_sigterm_would_end_is_not_disposable() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        (failed, _) = said(list(factors.disposability(CONFIG)))
    finally:
        signal.signal(signal.SIGTERM, before)

    assert failed == ("failure", "SIGTERM ends this process amid its work")


def test_a_log_file_is_not_a_stream() -> None:
    with override_settings(LOGGING={"handlers": {"file": {"class": "logging.FileHandler"}}}):
        assert ("failure", "logging.FileHandler does not write to a standard stream") in said(
            list(factors.logs(CONFIG))
        )


def test_production_logs_json_alone() -> None:
    found = said(list(factors.logs(in_production(LOG_FORMAT="console"))))

    assert ("warning", "LOG_FORMAT is for people; programs read json") in found
