"""The base of every operations command (https://12factor.net/admin-processes)."""

from __future__ import annotations

import inspect
import json
import re
import select
import signal
import sys
import time
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Literal

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import DatabaseError, OperationalError
from django.db import Error as DatabaseFailure
from opentelemetry import trace
from opentelemetry.trace import Span, StatusCode
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ops.cli import standard_streams
from ops.cli.run_metrics import record_run
from ops.database.locks import command_lock
from ops.telemetry import request_context, tracing

log = structlog.get_logger(__name__)

DONE, FAILED, USAGE, LOCKED = 0, 1, 2, 3
OUTCOMES = {DONE: "done", FAILED: "failed", USAGE: "usage", LOCKED: "locked"}
CHECK_EVERY = 0.1  # seconds between two looks for a signal
COUNTED = (BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TimeRemainingColumn())
EXIT_CODES = "0 done, 1 failed or problems found, 2 wrong usage or configuration, 3 another run holds the lock"


@dataclass
class Result:
    """The result of a run: its closing sentence, its counts, the problems found, and more for --json."""

    sentence: str
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    code: int = DONE  # FAILED if there are problems and no other code


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keep the line breaks of the description and the examples."""


class Stopped(CommandError):
    """A command saw `stopping` and left its work undone."""

    def __init__(self) -> None:
        super().__init__("Stopped by a signal; nothing was changed.")


class OpsCommand(BaseCommand):
    """Run `perform` in a span; print its closing sentence or, with --json, one object; exit with 1 for problems.

    The docstring of a command is its --help. A line `Examples:` begins the part that stands below the options.
    SIGTERM and SIGINT set `stopping`, which a command checks between two units of work; a second one ends the process.
    """

    requires_system_checks: list[str] | tuple[str, ...] | Literal["__all__"] = []
    examples = ""
    changes = False  # gives it --dry-run, and `perform` the argument dry_run
    destroys = False  # gives it --yes, and `perform` the argument yes, for `confirm`
    exclusive = False  # one run at a time; a dry run needs no lock
    stopping = False
    asking = False  # for a confirmation

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__doc__:
            cls.help, _, cls.examples = inspect.cleandoc(cls.__doc__).partition("\n\nExamples:\n")

    def perform(self, *args: Any, **options: Any) -> Result:
        """Do the command's work; raise CommandError, with its returncode, to refuse it."""
        raise NotImplementedError

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.setdefault("epilog", f"examples:\n{self.examples}\n\nexit codes: {EXIT_CODES}")
        kwargs.setdefault("formatter_class", HelpFormatter)
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument(
            "--json",
            dest="as_json",
            action="store_true",
            help="print one JSON object instead of sentences",
        )
        if self.changes:
            parser.add_argument("--dry-run", action="store_true", help="say what would happen and change nothing")
        if self.destroys:
            parser.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
        return parser

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond a signal: its handler only sets a flag, and Python continues to sleep."""
        until = time.monotonic() + seconds
        while not self.stopping and (rest := until - time.monotonic()) > 0:
            time.sleep(min(rest, CHECK_EVERY))

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask on a terminal before the command destroys something; raise CommandError on a no or without a terminal."""
        if yes:
            return
        if not sys.stdin.isatty():
            raise CommandError(f"{question} Give --yes to go on without being asked.", returncode=USAGE)
        self.asking = True  # before the question: from here on a signal ends the asking
        if self.stopping:
            raise Stopped
        self.stderr.write(f"{question} Type yes to go on: ", ending="")
        self.stderr.flush()
        while not select.select([sys.stdin], [], [], 0.5)[0]:
            pass  # a signal just before a readline would not end it
        answer = sys.stdin.readline()
        self.asking = False
        if answer.strip().lower() != "yes":
            raise CommandError("Not confirmed; nothing was changed.", returncode=FAILED)

    @contextmanager
    def progress(
        self, what: str, total: float | None = None, columns: tuple[ProgressColumn, ...] = COUNTED
    ) -> Iterator[Callable[[float], None]]:
        """Yield a function that takes the amount done; shown on a terminal only, on standard error."""
        with Progress(
            "{task.description}",
            *columns,
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            redirect_stdout=False,  # it may be a file, and rich would print its content on the terminal
        ) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)

    @contextmanager
    def byte_progress(self, what: str) -> Iterator[Callable[[int], None]]:
        """Yield the callback for each step of a work: it shows the bytes done, and raises Stopped after a signal."""
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
        with self.progress(what, None, columns) as show:

            def on_progress(done: int) -> None:
                if self.stopping:
                    raise Stopped
                if done:  # 0: this step has no bytes to show
                    show(done)

            yield on_progress

    def handle(self, *args: Any, **options: Any) -> None:
        name = type(self).__module__.rsplit(".", 1)[-1]
        started, clock = datetime.now(UTC), time.perf_counter()
        request_context.clear()
        with tracing.command_span(name) as span, self._stoppable():
            tracing.bind_trace(span)
            result = Result("", code=FAILED)  # if a second signal ends the process
            try:
                result = self._result(name, options)
            finally:
                seconds = round(time.perf_counter() - clock, 3)
                outcome = self._record(name, span, result, seconds)
        document = {
            "command": name,
            "version": settings.CONFIG.service_version if settings.configured else None,
            "started": started.isoformat().replace("+00:00", "Z"),
            "durationSeconds": seconds,
            "outcome": outcome,
            "summary": result.sentence,
            "counts": result.counts,
            "problems": result.problems,
            "traceId": request_context.current().trace_id,
            **result.details,
        }
        as_json = options["as_json"]
        if as_json or result.code != DONE or options.get("verbosity") != 0:
            self._print(result, json.dumps(document, default=str) if as_json else None)
        if result.code != DONE:
            sys.exit(result.code)

    def _record(self, name: str, span: Span, result: Result, seconds: float) -> str:
        """Report the end of the run to the span, the log and the metrics; return its outcome."""
        outcome = OUTCOMES.get(result.code, "failed")
        span.set_attribute("argos.command.outcome", outcome)
        if result.code != DONE:
            span.set_status(StatusCode.ERROR)
        if settings.configured:  # or log and metrics have no destination
            counted = log.bind(**result.counts)  # which may have any name
            counted.info("command.finished", command=name, outcome=outcome, duration_s=seconds)
            record_run(settings.CONFIG, command=name, outcome=outcome, seconds=seconds)
        return outcome

    def _result(self, name: str, options: Mapping[str, Any]) -> Result:
        """Run `perform` and return its result, or what ended it as one."""
        locks = self.exclusive and not options.get("dry_run")
        try:
            with command_lock(name) if locks else nullcontext():
                result = self.perform(**options)
        except CommandError as refusal:  # LockHeld and Stopped are refusals, too
            result = Result(str(refusal), problems=[str(refusal)], code=refusal.returncode)
        except BrokenPipeError:  # the reader of standard output has seen enough
            result = Result("", problems=["broken pipe"], code=FAILED)
        except Exception as error:
            result = _failure(error)
            if not _is_plain(error):
                self._log_failure(name, error)
            if options.get("traceback"):
                raise
        if result.problems and result.code == DONE:
            result.code = FAILED
        return result

    def _log_failure(self, name: str, error: Exception) -> None:
        """Log the traceback, but not where the log is a terminal: a person gets one sentence, or --traceback."""
        trace.get_current_span().record_exception(error)
        if settings.configured and not (settings.CONFIG.log_format == "console" and sys.stderr.isatty()):
            log.error("command.failed", command=name, exc_info=error)

    def _print(self, result: Result, document: str | None) -> None:
        try:
            if document is not None:
                self.stdout.write(document)
            elif result.sentence:
                (self.stdout if result.code == DONE else self.stderr).write(result.sentence)
            self.stdout.flush()
        except OSError as error:  # the work stays done
            standard_streams.discard_output()
            if not isinstance(error, BrokenPipeError):  # a reader may stop when it has seen enough
                self.stderr.write(f"standard output: {error.strerror}.")
                result.code = FAILED

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            if self.stopping:
                sys.exit(128 + number)
            self.stopping = True
            if self.asking:  # the work has not begun, and the answer may never come
                raise Stopped

        try:
            before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        except ValueError:  # called from a thread, which cannot set a handler
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _is_plain(error: Exception) -> bool:
    """Tell whether the sentence says it all: a file, a connection, a disk, or a table that `migrate` would make."""
    if isinstance(error, OSError | OperationalError) or type(error) is DatabaseError:
        return True
    return isinstance(error, DatabaseFailure) and _lacks_table(error)


def _lacks_table(error: Exception) -> bool:
    """Tell whether a table or a column is missing; a database, a role or a collation comes from no migration."""
    return bool(re.search(r"no such (table|column)|(relation|column) .+ does not exist", str(error)))


def _failure(error: Exception) -> Result:
    """Return the result of a run that failed: one line for the terminal."""
    reason = " ".join(str(error).split())
    if isinstance(error, DatabaseFailure):
        hint = " (Has `manage.py migrate` run?)" if _lacks_table(error) else ""
        return Result(f"The database refused: {reason}{hint}", problems=[reason], code=FAILED)
    if isinstance(error, OSError):
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
        return Result(f"{reason}.", problems=[reason], code=FAILED)
    reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return Result(f"Unexpected {reason} (--traceback shows where).", problems=[reason], code=FAILED)
