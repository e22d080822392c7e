from __future__ import annotations

import math
import time
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import ERROR
from django.core.management.base import CommandError, CommandParser

from ops.cli.command import OpsCommand, Result, Stopped
from ops.config.report import masked
from ops.config.validators import absolute_http_url
from ops.diagnosis import database as questions
from ops.diagnosis.probe import Probe, examine
from ops.diagnosis.registry import MIGRATED
from ops.diagnosis.surroundings import url_probe

TRY_TIMEOUT = 2.0  # seconds
DATABASE = Probe("database.answers", questions.answers, "Start the database, or correct DATABASE_URL.")
PAUSE = 0.3  # seconds between two attempts


class Command(OpsCommand):
    """Wait until the database, its migrations and the named URLs are there; a URL answers with a status below 400.

    Examples:
      manage.py wait_for                                      the database
      manage.py wait_for http://products:3001/readyz          another service
      manage.py wait_for --database http://products:3001/readyz --timeout 60
      manage.py wait_for --migrations                         those of this release are applied

    A time-out exits with 1, a malformed URL with 2.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("urls", nargs="*", metavar="URL", help="an http:// or https:// URL")
        parser.add_argument("--database", action="store_true", help="the service's database; the default without a URL")
        parser.add_argument(
            "--migrations", action="store_true", help="until another run of migrate has applied them all"
        )
        parser.add_argument(
            "--timeout",
            type=_seconds,
            default=30.0,
            metavar="SECONDS",
            help="for all together (default: %(default)g)",
        )

    def perform(
        self, *, urls: list[str], database: bool, migrations: bool, timeout: float, as_json: bool, **options: Any
    ) -> Result:
        things: dict[str, Probe] = {"database": DATABASE} if database or not (urls or migrations) else {}
        if migrations:
            things["migrations"] = MIGRATED
        for url in urls:
            try:
                absolute_http_url(url)
            except ValueError as error:
                raise CommandError(f"The URL {masked(url)!r} {error}.", returncode=2) from None
            things[url] = url_probe("url.answers", url)
        started = time.monotonic()
        for name, probe in things.items():
            if not as_json:
                self.stderr.write(f"Waiting for {name} ...", lambda text: text)
            self._wait(name, probe, deadline=started + timeout, timeout=timeout)
        names = ", ".join(things)
        return Result(f"Ready: {names}.", {"things": len(things)}, details={"ready": list(things)})

    def _wait(self, name: str, probe: Probe, *, deadline: float, timeout: float) -> None:
        while True:
            limit = timedelta(seconds=max(min(TRY_TIMEOUT, deadline - time.monotonic()), 0.1))
            asked = examine(settings.CONFIG, [probe], deadline=limit)
            faults = [message.msg for _, message in asked if message.level >= ERROR]
            if not faults:
                return
            if time.monotonic() >= deadline:
                raise CommandError(f"{name} was not ready within {timeout:g} s: {faults[0]}.")
            self.pause(PAUSE)
            if self.stopping:
                raise Stopped


def _seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ArgumentTypeError("must be 0 or more")
    return value
