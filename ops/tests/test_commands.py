"""The common behaviour of operations commands."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from structlog.testing import capture_logs

from ops import settings as shared
from ops.cli.command import LOCKED, OpsCommand, Result, Stopped
from ops.config.role import Role
from ops.database.connection import GRACE
from ops.database.locks import LockHeld
from ops.telemetry import tracing
from ops.tests.run_command import run
from ops.tests.settings import PlainConfig


class Count(OpsCommand):
    """Count, or fail as scripted.

    Examples:
      manage.py count
    """

    def __init__(self, result: Result | None = None, error: Exception | None = None, signals: int = 0) -> None:
        super().__init__()
        self.result = result or Result("Counted 2 things.", {"things": 2}, details={"first": 1})
        self.error = error
        self.signals = signals

    def perform(self, **options: Any) -> Result:
        for _ in range(self.signals):
            os.kill(os.getpid(), signal.SIGTERM)
        if self.stopping:
            raise Stopped
        if self.error is not None:
            raise self.error
        return self.result


def test_it_closes_with_one_sentence_on_standard_output() -> None:
    assert run(Count()) == (0, "Counted 2 things.\n", "")


def test_with_json_it_prints_one_object_and_no_sentence() -> None:
    code, output, errors = run(Count(), "--json")

    document = json.loads(output)
    assert (code, errors) == (0, "")
    assert document["command"] == "test_commands"
    assert document["version"] == "dev"
    assert document["outcome"] == "done"
    assert document["counts"] == {"things": 2}
    assert document["problems"] == []
    assert document["first"] == 1
    assert document["started"].endswith("Z")
    assert document["durationSeconds"] >= 0


def test_problems_end_with_1_and_are_told_on_standard_error() -> None:
    assert run(Count(Result("Two are broken.", problems=["a", "b"]))) == (1, "", "Two are broken.\n")


def test_an_error_ends_with_its_own_code() -> None:
    code, output, _ = run(Count(error=CommandError("Another run holds the lock.", returncode=LOCKED)), "--json")

    document = json.loads(output)
    assert code == 3
    assert document["outcome"] == "locked"
    assert document["problems"] == ["Another run holds the lock."]


def test_a_failing_database_is_one_sentence_and_no_traceback() -> None:
    code, _, errors = run(Count(error=OperationalError("no such table:\n products_product")))

    assert code == 1
    assert errors == "The database refused: no such table: products_product (Has `manage.py migrate` run?)\n"


@pytest.mark.parametrize(
    ("reason", "hints"),
    [
        ('relation "products_product" does not exist\nLINE 1', True),
        ("column products_product.stock does not exist\nLINE 1", True),
        ('connection failed: FATAL:  database "products" does not exist', False),
        ('collation "und-x-icu" for encoding "SQL_ASCII" does not exist\nLINE 1', False),
    ],
)
def test_only_a_missing_table_or_column_hints_at_the_migrations(reason: str, hints: bool) -> None:
    _, _, errors = run(Count(error=OperationalError(reason)))

    assert ("Has `manage.py migrate` run?" in errors) == hints


def test_an_error_that_is_not_foreseen_is_one_sentence_and_a_traceback_in_the_log() -> None:
    with capture_logs() as logs:
        code, _, errors = run(Count(error=ZeroDivisionError("too\nsmall")))

    assert (code, errors) == (1, "Unexpected ZeroDivisionError: too small (--traceback shows where).\n")
    assert [line["event"] for line in logs] == ["command.failed", "command.finished"]
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


def test_with_traceback_it_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        run(Count(error=ZeroDivisionError()), "--traceback")


@pytest.mark.parametrize("error", [CommandError("No."), LockHeld("It is held."), Stopped(), BrokenPipeError()])
def test_a_plain_refusal_logs_no_traceback(error: Exception) -> None:
    with capture_logs() as logs:
        run(Count(error=error))

    assert [line["event"] for line in logs] == ["command.finished"]


NAMES = ("name", "command", "event", "options", "span", "error", "result", "locks", "json", "code", "outcome")


class Named(OpsCommand):
    """Take arguments of names that the base class uses itself."""

    def add_arguments(self, parser: CommandParser) -> None:
        for name in NAMES:
            parser.add_argument(name)

    def perform(self, **options: Any) -> Result:
        return Result("Named.", dict.fromkeys(NAMES, 1), details={"given": {name: options[name] for name in NAMES}})


def test_an_argument_and_a_count_may_have_any_name() -> None:
    code, output, errors = run(Named(), *NAMES, "--json")

    assert (code, errors) == (0, "")
    assert json.loads(output)["given"] == dict(zip(NAMES, NAMES, strict=True))


@pytest.mark.parametrize(
    ("error", "outcome", "status"),
    [
        (None, "done", StatusCode.UNSET),
        (CommandError("It is locked.", returncode=LOCKED), "locked", StatusCode.ERROR),
        (ZeroDivisionError(), "failed", StatusCode.ERROR),
    ],
)
def test_a_run_is_one_span_with_its_outcome_in_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, outcome: str, status: StatusCode
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(tracing, "tracer", provider.get_tracer("argos"))

    run(Count(error=error))

    (span,) = spans.get_finished_spans()
    assert (span.name, span.status.status_code) == ("manage.py test_commands", status)
    assert span.attributes == {"argos.command.outcome": outcome}


def test_a_run_is_one_log_line_with_its_counts() -> None:
    with capture_logs() as logs:
        run(Count())

    assert logs[0].pop("duration_s") >= 0
    assert logs == [
        {"event": "command.finished", "log_level": "info", "command": "test_commands", "outcome": "done", "things": 2}
    ]


def test_a_first_signal_lets_it_stop_by_itself() -> None:
    code, _, errors = run(Count(signals=1))

    assert code == 1
    assert errors == "Stopped by a signal; nothing was changed.\n"


def test_a_second_signal_ends_it_at_once() -> None:
    code, output, errors = run(Count(signals=2))

    assert (code, output, errors) == (128 + signal.SIGTERM, "", "")


def test_it_puts_the_signal_handlers_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    run(Count())

    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_its_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    Count().print_help("manage.py", "count")

    text = capsys.readouterr().out
    assert "examples:\n  manage.py count\n" in text
    assert "exit codes: 0 done, 1 failed or problems found, 2 wrong usage" in text
    assert "--json" in text


def databases(url: str, process: Role) -> dict[str, Any]:
    config = PlainConfig.read({"DATABASE_URL": url}).config
    assert config is not None
    return shared.databases(config, process)["default"]


def test_a_command_is_free_of_a_web_requests_bounds_but_for_locks() -> None:
    options = databases("postgres://me@db/shop", Role.COMMAND)["OPTIONS"]

    assert "pool" not in options
    assert "statement_timeout=0" in options["options"]
    assert "lock_timeout=20000" in options["options"]


def test_a_command_that_runs_for_ever_is_bounded_as_a_request_is() -> None:
    worker, web = (databases("postgres://me@db.internal/x", process)["OPTIONS"] for process in (Role.WORKER, Role.WEB))

    assert worker["options"] == web["options"]
    assert "statement_timeout=5000" in worker["options"]
    assert worker["pool"]["connection_class"].deadline == 5 + GRACE


def test_on_sqlite_a_command_waits_for_another_writer_as_a_request_does() -> None:
    url = "sqlite:////tmp/shop.sqlite3"

    assert databases(url, Role.COMMAND) == databases(url, Role.WEB)
