"""What every operations command shares (https://12factor.net/admin-processes)."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Literal

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseFailure
from opentelemetry.trace import Span, StatusCode
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TimeRemainingColumn,
)

from ops.cli.help import HelpFormatter
from ops.cli.run_metrics import record_run
from ops.database.locks import HeldByAnother, PoolerBetween, exclusive
from ops.telemetry import tracing

log = structlog.get_logger(__name__)

DONE, FAILED, USAGE, LOCKED = 0, 1, 2, 3
OUTCOMES = {DONE: "done", FAILED: "failed", USAGE: "usage", LOCKED: "locked"}
COUNTED = (BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TimeRemainingColumn())
EXIT_CODES = "0 done, 1 failed or problems found, 2 wrong usage or configuration, 3 another run holds the lock"


@dataclass
class Result:
    """Say what a run did: its closing sentence, what it counted, what it found wrong, and more for --json."""

    sentence: str
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    code: int = DONE  # FAILED where there are problems and no other code


class Stopped(Exception):
    """Raised by a command's loop that saw `stopping` and left its work undone."""


class OpsCommand(BaseCommand):
    """Run `perform` in a span, print its closing sentence or, with --json, one object; exit 1 if it found problems.

    SIGTERM and SIGINT set `stopping`, which a loop looks at between two units of work; a second one ends the process.
    """

    requires_system_checks: list[str] | tuple[str, ...] | Literal["__all__"] = []
    examples = ""  # shown below the options by --help, with what each exit code means
    changes = False  # it gets --dry-run, and `perform` the argument dry_run
    destroys = False  # it gets --yes, and `perform` the argument yes, for `confirm`
    loops = False  # it runs for ever, so the database bounds its waits as it does a request's
    exclusive = False  # one run at a time; a dry run needs no lock
    stopping = False
    asking = False  # waits for somebody to confirm

    def perform(self, *args: Any, **options: Any) -> Result:
        """Do the command's work; raise CommandError, with its returncode, for what keeps it from it."""
        raise NotImplementedError

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.setdefault("epilog", f"examples:\n{self.examples}\n\nexit codes: {EXIT_CODES}")
        kwargs.setdefault("formatter_class", HelpFormatter)
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument(
            "--json", action="store_true", help="print one machine-readable object instead of sentences"
        )
        if self.changes:
            parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")
        if self.destroys:
            parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")
        return parser

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask on a terminal before something is destroyed; raise CommandError on a no, or where nobody is there."""
        if yes:
            return
        if not sys.stdin.isatty():
            raise CommandError(f"{question} Give --yes to go on without being asked.", returncode=USAGE)
        self.asking = True  # from here on a signal ends the asking; before the question, or it could come between
        if self.stopping:
            raise Stopped
        self.stderr.write(f"{question} Type yes to go on: ", ending="")
        self.stderr.flush()
        while not select.select([sys.stdin], [], [], 0.5)[0]:
            pass  # and not in readline, which a signal that comes just before it does not end
        answer = sys.stdin.readline()
        self.asking = False
        if answer.strip().lower() != "yes":
            raise CommandError("Not confirmed; nothing was changed.", returncode=FAILED)

    @contextmanager
    def progress(
        self, what: str, total: float | None = None, columns: tuple[ProgressColumn, ...] = COUNTED
    ) -> Iterator[Callable[[float], None]]:
        """Yield a function that takes how much is done; shown on a terminal only, on standard error."""
        with Progress(
            "{task.description}",
            *columns,
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            redirect_stdout=False,  # which may be a file: rich would print on the terminal what belongs there
        ) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)

    def handle(self, *args: Any, **options: Any) -> None:
        name = type(self).__module__.rsplit(".", 1)[-1]
        started, clock = datetime.now(UTC), time.perf_counter()
        structlog.contextvars.clear_contextvars()
        as_json: bool = options.pop("json")
        with tracing.command_span(name) as span, self._stoppable():
            tracing.bind_trace(span)
            result = Result("", code=FAILED)  # if something unforeseen escapes
            try:
                result = self._result(name, as_json=as_json, **options)
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
            "traceId": structlog.contextvars.get_contextvars().get("trace_id"),
            **result.details,
        }
        if as_json or result.code != DONE or options.get("verbosity") != 0:
            self._print(result, json.dumps(document, default=str) if as_json else None)
        if result.code != DONE:
            sys.exit(result.code)

    def _record(self, name: str, span: Span, result: Result, seconds: float) -> str:
        """Tell the span, the log and the metrics how the run ended; return its outcome."""
        outcome = OUTCOMES.get(result.code, "failed")
        span.set_attribute("argos.command.outcome", outcome)
        if result.code != DONE:
            span.set_status(StatusCode.ERROR)
        if settings.configured:  # or neither knows where to
            log.info("command.finished", command=name, outcome=outcome, duration_s=seconds, **result.counts)
            record_run(settings.CONFIG, command=name, outcome=outcome, seconds=seconds)
        return outcome

    def _result(self, name: str, **options: Any) -> Result:
        locks = self.exclusive and not options.get("dry_run")
        try:
            with exclusive(name) if locks else nullcontext():
                result = self.perform(**options)
        except CommandError as error:
            result = Result(str(error), problems=[str(error)], code=error.returncode)
        except PoolerBetween as fault:
            result = Result(str(fault), problems=[str(fault)], code=USAGE)
        except HeldByAnother as holder:
            result = Result(str(holder), problems=[str(holder)], code=LOCKED)
        except Stopped:
            result = Result("Stopped by a signal; nothing was changed.", problems=["stopped by a signal"], code=FAILED)
        except DatabaseFailure as error:
            reason = " ".join(str(error).split())
            hint = " (Has `manage.py migrate` run?)" if "no such table" in reason or "does not exist" in reason else ""
            result = Result(f"The database refused: {reason}{hint}", problems=[reason], code=FAILED)
        except BrokenPipeError:
            result = Result("Nobody reads the output any more.", problems=["broken pipe"], code=FAILED)
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
            result = Result(f"{reason}.", problems=[reason], code=FAILED)
        if result.problems and result.code == DONE:
            result.code = FAILED
        return result

    def _print(self, result: Result, document: str | None) -> None:
        try:
            if document is not None:
                self.stdout.write(document)
            else:
                (self.stdout if result.code == DONE else self.stderr).write(result.sentence)
            self.stdout.flush()
        except OSError as error:  # what was done is done, and the exit code says so
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries again when it ends
            if not isinstance(error, BrokenPipeError):  # nobody reads any more, which is the reader's to choose
                self.stderr.write(f"standard output: {error.strerror}.")
                result.code = FAILED

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            if self.stopping:
                sys.exit(128 + number)
            self.stopping = True
            if self.asking:  # nothing was begun, and the answer may never come
                raise Stopped

        try:
            before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        except ValueError:  # called from a thread, where signals are not ours
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
