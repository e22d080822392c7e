"""A scripted command for the tests of the base class."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import CommandParser

from ops.cli.command import OpsCommand, Result


class Command(OpsCommand):
    """Do as the test says.

    Examples:
      manage.py example hold
    """

    changes = destroys = exclusive = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["hold", "ask", "count", "crash", "pour", "stumble", "speak"])

    def perform(self, *, act: str, **options: Any) -> Result:
        return getattr(self, act)(**options)  # type: ignore[no-any-return] # one of choices

    def hold(self, **options: Any) -> Result:
        """Work until standard input ends."""
        print("at it", flush=True)
        sys.stdin.read()
        return Result("Held.")

    def ask(self, *, yes: bool, dry_run: bool, **options: Any) -> Result:
        if dry_run:
            return Result("Would destroy 2 things.")
        self.confirm("This destroys 2 things.", yes=yes)
        return Result("Destroyed 2 things.")

    def count(self, **options: Any) -> Result:
        with self.progress("counting", 100) as show:
            for number in range(100):
                show(number + 1)
            print("a row of the result")
        return Result("Counted.")

    def crash(self, **options: Any) -> Result:
        raise ZeroDivisionError("nobody foresaw this")

    def pour(self, **options: Any) -> Result:
        for _ in range(100_000):
            self.stdout.write("a row of the result")
        return Result("Poured.")

    def stumble(self, **options: Any) -> Result:
        os.listdir("/proc/nowhere")  # noqa: PTH208 - as short as a failing system call gets
        return Result("Walked.")

    def speak(self, **options: Any) -> Result:
        return Result("Glück █.")
