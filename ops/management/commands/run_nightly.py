from __future__ import annotations

import shlex
import subprocess
import sys
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

import structlog
from django.core.management import get_commands
from django.core.management.base import CommandParser

from ops.cli.command import CHECK_EVERY, Result
from ops.cli.loop import LoopCommand

log = structlog.get_logger(__name__)

LONGEST_PAUSE = 30.0  # seconds between two beats, and two looks at the clock, which may have been set


class Command(LoopCommand):
    """Run commands of this service every night, one after another, each in a process of its own.
    A command that fails does not keep the next ones from running. Each command reports its own metrics, so the
    alerts CommandFailed and CommandOverdue watch it. It goes on until it gets a signal, and lets the command in
    hand finish.

    Examples:
      manage.py run_nightly --at 02:30 'backup --to /backups --verify' 'purge_idempotency_keys'
      manage.py run_nightly --once 'backup --to /backups --verify'     now, and then end

    With --once it ends with 1 if a command failed.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "commands", nargs="+", type=_command, metavar="COMMAND", help="one command with its options, quoted"
        )
        parser.add_argument(
            "--at",
            type=_time_of_day,
            default=time_of_day(2, 30),
            metavar="HH:MM",
            help="the time of day, of UTC (default: 02:30)",
        )
        parser.add_argument("--once", action="store_true", help="run them now, and end")

    def perform(self, *, commands: list[str], at: time_of_day, once: bool, **options: Any) -> Result:
        counts = {"done": 0, "failed": 0}
        problems: list[str] = []
        while once or self._wait_until(next_run(datetime.now(UTC), at)):
            problems += self._run(commands, counts)
            if once or self.stopping:
                break
        sentence = f"Ran {sum(counts.values())} commands: {counts['done']} done, {counts['failed']} failed."
        return Result(sentence, counts, problems if once else [])

    def _wait_until(self, due: datetime) -> bool:
        """Return true at that time of the wall clock, and false for a signal."""
        while not self.stopping:
            self.beat()
            seconds = (due - datetime.now(UTC)).total_seconds()
            if seconds <= 0:
                return True
            self.pause(min(seconds, LONGEST_PAUSE))
        return False

    def _run(self, commands: list[str], counts: dict[str, int]) -> list[str]:
        """Run them in turn, and return what went wrong."""
        problems = []
        for line in commands:
            if self.stopping:
                problems.append(f"{line}: not begun, stopped by a signal")
                continue
            code = self._run_command(line)
            counts["failed" if code else "done"] += 1
            if code:
                problems.append(f"{line}: exit code {code}")
                log.warning("nightly.failed", command=shlex.split(line)[0], code=code)
        return problems

    def _run_command(self, line: str) -> int:
        """Run one command to its end, in a process, and return its exit code; pass a signal on to it, once."""
        program = [sys.executable, sys.argv[0], *shlex.split(line)]
        # A session of its own: a Ctrl-C would reach it twice, and a second signal ends it at once.
        process = subprocess.Popen(program, start_new_session=True)  # noqa: S603 - this manage.py
        told = False
        try:
            while True:
                if self.is_to_stop() and not told:
                    process.terminate()
                    told = True
                try:
                    return process.wait(CHECK_EVERY)
                except subprocess.TimeoutExpired:
                    pass
        finally:
            if process.poll() is None:  # a second signal ends this process at once
                process.kill()


def next_run(now: datetime, at: time_of_day) -> datetime:
    """Return the next moment that has this time of day, of UTC."""
    today = datetime.combine(now.astimezone(UTC).date(), at, tzinfo=UTC)
    return today if today > now else today + timedelta(days=1)


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r}: {error}") from None
    if not words or words[0] not in get_commands():
        raise ArgumentTypeError(f"{text!r} does not begin with a command of this service")
    return text


def _time_of_day(text: str) -> time_of_day:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day has no zone
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time of day such as 02:30") from None
